"""Files that survive a crash: written beside, synced, then moved into place.

`replace_file` is the one way Tutee writes a file that matters. `AtomicStorage` gives it to TinyDB,
whose own JSON storage rewrites the file in place (half a file after a crash) in whatever encoding
the machine happens to use.

Left out on purpose: appending instead of rewriting. A file is written whole at each change;
`store.segments` keeps files small enough for that.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tinydb.storages import Storage

from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _

Tables = dict[str, dict[str, dict[str, Any]]]
"""What TinyDB keeps: table name → document id → document."""


def replace_file(path: Path, content: bytes, *, backup: Path | None = None) -> None:
    """Put `content` in the place of `path`, private to the person; a reader sees old or new.

    Args:
        path: The file; a link is followed, so that the file it names is the one replaced.
        content: All of it.
        backup: Where the old file goes, if there is one; its folder is made.

    Raises:
        TuteeError: it cannot be written; the old file is untouched.
    """
    target = Path(os.path.realpath(path))
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if backup is not None and target.exists():
            _keep(target, backup)
        os.replace(temporary, target)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    sync_folder(target.parent)


def private_folder(folder: Path) -> None:
    """Make a folder for the person alone, those above it too (`mkdir` leaves those open)."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Make `target` a second name of a file as it is; a copy where the disk has no links.

    A second name is as good as a copy, because a file is only ever replaced, never changed.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _keep(target: Path, backup: Path) -> None:
    private_folder(backup.parent)
    beside = backup.with_name(f".{backup.name}.tmp")
    beside.unlink(missing_ok=True)
    link_or_copy(target, beside)
    os.replace(beside, backup)


def sync_folder(folder: Path) -> None:
    """Make new names last; not every system lets a folder be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def unwritable(path: Path, error: OSError) -> TuteeError:
    """The error for a file or folder that cannot be written."""
    return TuteeError(
        _("Cannot write {path}: {why}.").format(path=path, why=reason(error)),
        _("What was there before is unchanged."),
    )


class Damaged(TuteeError):
    """A file that cannot be understood."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(
            _("{path} is damaged ({why}).").format(path=path, why=why),
            _("Start Tutee again: it goes back to the newest earlier state that is good."),
        )
        self.why = str(why)


def content_of(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        Damaged: the disk cannot give them.
        FileNotFoundError: there is none.
        TuteeError: it may not be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.EIO:
            raise Damaged(path, _("the disk cannot read it")) from error
        raise TuteeError(
            _("Cannot read {path}: {why}.").format(path=path, why=reason(error))
        ) from error


class AtomicStorage(Storage):
    """A TinyDB storage: one UTF-8 JSON file, kept in memory and written whole.

    Args:
        path: The file; made by the first write.
        backup: Where the state before each write goes; nowhere if not given.
    """

    def __init__(self, path: Path, *, backup: Path | None = None) -> None:
        self.path = path
        self.size = 0
        """Bytes of the file as last read or written."""
        self._backup = backup
        self._tables: Tables | None = None
        self._gathering = False

    def read(self) -> Tables:
        """The tables as they are now, none where there is no file; parsed once.

        Raises:
            Damaged: the file does not hold tables of documents.
            TuteeError: it cannot be read.
        """
        if self._tables is None:
            self._tables = self._parse()
        return self._tables

    def _parse(self) -> Tables:
        try:
            content = content_of(self.path)
            tables = json.loads(content.decode("utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            raise Damaged(self.path, error) from error
        if not _are_tables(tables):
            raise Damaged(self.path, _("it does not hold tables of documents"))
        self.size = len(content)
        return tables

    def write(self, data: Tables) -> None:
        """Take `data` as the new state; on the disk at once, or when the transaction ends."""
        self._tables = data
        if not self._gathering:
            self._flush()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Gather the writes inside into one, so that all of them reach the disk or none does."""
        self._gathering = True
        try:
            yield
        except BaseException:
            self._tables = None
            raise
        finally:
            self._gathering = False
        self._flush()

    def _flush(self) -> None:
        try:
            content = json.dumps(self._tables, ensure_ascii=False).encode("utf-8")
            replace_file(self.path, content, backup=self._backup)
        except BaseException:
            self._tables = None  # the file is the truth: read it again
            raise
        self.size = len(content)


def _are_tables(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(table, dict) and all(isinstance(document, dict) for document in table.values())
        for table in value.values()
    )
