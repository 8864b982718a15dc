"""Files that survive a crash: written to a temporary file, synced, then moved into place.

`replace_file` is the only way Tutee writes a file that matters. `AtomicStorage` lets TinyDB use it;
TinyDB's own JSON storage rewrites the file in place (leaving half a file after a crash), in the
platform's default encoding.

Left out on purpose: appending instead of rewriting. Each change writes the whole file;
`store.segments` keeps files small enough for that.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tinydb.storages import Storage

from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _

_FULL = (errno.ENOSPC, errno.EDQUOT)

Tables = dict[str, dict[str, dict[str, Any]]]
"""What TinyDB stores: table name → document id → document."""


def replace_file(path: Path, content: bytes, *, backup: Path | None = None) -> None:
    """Replace the content of `path`, readable by the user only; readers see the old or the new
    file.

    Args:
        path: The file; a symlink is followed, so that the file it points to is replaced.
        backup: Where to keep the old file, if there is one; its folder is created.

    Raises:
        TuteeError: The file cannot be written; the old one is unchanged.
    """
    target = Path(os.path.realpath(path))
    temporary: Path | None = None
    try:
        try:
            temporary = _beside(target, content)
        except OSError as error:
            if error.errno not in _FULL or not _may_give_way(backup, target, content):
                raise
            temporary = _beside(target, content)
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


def _beside(target: Path, content: bytes) -> Path:
    """Write a synced temporary file beside `target`, completely or not at all."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    return Path(name)


def _may_give_way(backup: Path | None, target: Path, content: bytes) -> bool:
    """Remove the backup if the file only shrinks, so that deleting works on a full disk."""
    if backup is None or not backup.exists() or len(content) > target.stat().st_size:
        return False
    backup.unlink()
    return True


def clear_leftovers(folder: Path, names: Collection[str] | None = None) -> None:
    """Remove the temporary files that killed writers left in a folder.

    Args:
        names: Only those of these files; None means all.
    """
    for leftover in folder.glob(".*.tmp"):
        name = leftover.name[1:-4].rpartition(".")[0]
        if names is None or name in names:
            with suppress(OSError):
                leftover.unlink()


def private_folder(folder: Path) -> None:
    """Create a folder readable by the user only, its parents too (`mkdir` leaves those open)."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Make `target` a hard link to `source`; a copy where the file system has no links.

    A link is as good as a copy because files are only ever replaced, never changed in place.
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
    """Sync a folder, so that new names in it last; not every system supports this."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def unwritable(path: Path, error: OSError) -> TuteeError:
    """Return the error for a file or folder that cannot be written."""
    return TuteeError(
        _("Cannot write {path}: {why}.").format(path=path, why=reason(error)),
        _("The existing content is unchanged."),
    )


class Damaged(TuteeError):
    """A file whose content cannot be understood."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(
            _("{path} is damaged ({why}).").format(path=path, why=why),
            _("Restart Tutee: it restores the newest good state."),
        )
        self.why = str(why)


def content_of(path: Path) -> bytes:
    """Read all bytes of a file.

    Raises:
        Damaged: The disk cannot read it.
        FileNotFoundError: It does not exist.
        TuteeError: It may not be read.
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
    """A TinyDB storage: one UTF-8 JSON file, cached in memory and rewritten whole.

    Args:
        path: The file; created by the first write.
        backup: Where to keep the state before each write; by default nowhere.
    """

    def __init__(self, path: Path, *, backup: Path | None = None) -> None:
        self.path = path
        self.size = 0
        """Size of the file in bytes, as last read or written."""
        self._backup = backup
        self._tables: Tables | None = None
        self._gathering = False

    def read(self) -> Tables:
        """Return the current tables, parsed once; none if there is no file.

        Raises:
            Damaged: The file does not hold tables of documents.
            TuteeError: It cannot be read.
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
        """Set the new state; it is written at once, or when the transaction ends."""
        self._tables = data
        if not self._gathering:
            self._flush()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Combine the writes inside into one, so that all of them reach the disk or none does."""
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
            self._tables = None  # the file is authoritative: read it again
            raise
        self.size = len(content)


def _are_tables(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(table, dict) and all(isinstance(document, dict) for document in table.values())
        for table in value.values()
    )
