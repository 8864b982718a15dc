"""Files that survive a crash: written beside, synced, then moved into place.

`replace_file` is the one way Tutee writes a file that matters. `AtomicStorage` gives it to TinyDB,
whose own JSON storage rewrites the file in place (half a file after a crash) in whatever encoding
the machine happens to use. Before each write the file as it was becomes the backup, so there is
always one earlier state to go back to by hand. A damaged file is only ever reported: mending it is
the person's decision.

Left out on purpose: appending instead of rewriting. A file is written whole at each change, which
is fast enough up to some thousand records.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tinydb.storages import Storage

from store.errors import TuteeError

Tables = dict[str, dict[str, dict[str, Any]]]
"""What TinyDB keeps: table name → document id → document."""


def replace_file(path: Path, content: bytes, *, backup: Path | None = None) -> None:
    """Put `content` in the place of `path`, private to the person; a reader sees old or new.

    Args:
        path: The file; a link is followed, so that the file it names is the one replaced.
        content: All of it.
        backup: Where the old file goes, if there is one.

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
        raise TuteeError(
            f"Cannot write {path}: {error.strerror or error}.",
            "What was there before is unchanged.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _keep(target: Path, backup: Path) -> None:
    """Make `backup` a second name of the file as it is; copy where the disk has no links."""
    beside = backup.with_name(f".{backup.name}.tmp")
    beside.unlink(missing_ok=True)
    try:
        os.link(target, beside)
    except OSError:
        shutil.copy2(target, beside)
    os.replace(beside, backup)


def _sync_folder(folder: Path) -> None:
    """Make the new name last; not every system lets a folder be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def backup_of(path: Path) -> Path:
    """Where the state before the last change of `path` is kept."""
    return path.with_name(path.name + ".bak")


def damaged(path: Path, why: object) -> TuteeError:
    """The error for a database that cannot be understood, with the way out of it."""
    backup = backup_of(path)
    if backup.exists():
        advice = (
            f"The state before the last change is in {backup}: move the damaged file away, then "
            "copy the backup to its name."
        )
    else:
        advice = "Move it away and Tutee starts that file anew, or mend it by hand."
    return TuteeError(f"The database {path} is damaged ({why}). It was left as it is.", advice)


class AtomicStorage(Storage):
    """A TinyDB storage: one UTF-8 JSON file, kept in memory and written whole.

    Args:
        path: The file; made by the first write.
        initial: The tables to begin with where there is no file.
        writable: Whether writes are allowed. A writer must be alone (`Repository` holds a lock).
    """

    def __init__(self, path: Path, *, initial: Tables, writable: bool) -> None:
        self.path = path
        self._initial = initial
        self._writable = writable
        self._tables: Tables | None = None
        self._gathering = False
        if writable:
            self._sweep()

    def _sweep(self) -> None:
        """Remove what a writer that was killed in the middle has left behind."""
        for leftover in self.path.parent.glob(f".{self.path.name}.*.tmp"):
            leftover.unlink(missing_ok=True)

    def read(self) -> Tables:
        """The tables as they are now; parsed once."""
        if self._tables is None:
            self._tables = self._parse()
        return self._tables

    def _parse(self) -> Tables:
        try:
            text = self.path.read_bytes().decode("utf-8")
            tables = json.loads(text)
        except FileNotFoundError:
            return {name: dict(table) for name, table in self._initial.items()}
        except OSError as error:
            raise TuteeError(f"Cannot read {self.path}: {error.strerror or error}.") from error
        except (ValueError, RecursionError) as error:
            raise damaged(self.path, error) from error
        if not _are_tables(tables):
            raise damaged(self.path, "it does not hold tables of documents")
        return tables

    def write(self, data: Tables) -> None:
        """Take `data` as the new state; on the disk at once, or when the transaction ends."""
        if not self._writable:
            raise TuteeError(f"{self.path} was opened for reading only.")
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
            replace_file(self.path, content, backup=backup_of(self.path))
        except BaseException:
            self._tables = None  # the file is the truth: read it again
            raise


def _are_tables(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(table, dict) and all(isinstance(document, dict) for document in table.values())
        for table in value.values()
    )
