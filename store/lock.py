"""One writer per home: a lock between processes that says who holds it.

The operating system releases the lock when its process ends, however it ends; the text of the file
only names the holder, so a disk that is too full for it is no obstacle. A lock file that is deleted
would let a second writer in; `check` notices.
"""

from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _


class WriterLock:
    """A lock held from construction until `release`.

    Raises:
        TuteeError: Another process holds it, or the file cannot be created.
    """

    def __init__(self, path: Path, pid: int) -> None:
        self._path = path
        # Not bound to a thread: the app may release it from another one on exit.
        self._lock = FileLock(path, timeout=0, mode=0o600, thread_local=False)
        try:
            self._lock.acquire()
            self._identity = _identity(path)
        except Timeout as error:
            raise self._held() from error
        except OSError as error:
            self._lock.release()
            raise TuteeError(
                _("Cannot write {path}: {why}.").format(path=path, why=reason(error))
            ) from error
        with suppress(OSError):
            path.write_text(str(pid), encoding="utf-8")

    def check(self) -> None:
        """Raise TuteeError if the lock file is another one, so that someone else may be writing."""
        try:
            same = _identity(self._path) == self._identity
        except OSError:
            same = False
        if not same:
            raise TuteeError(
                _("The lock {path} was removed, so another Tutee may be writing.").format(
                    path=self._path
                ),
                _("Nothing was changed. Close every Tutee that uses this home, and start again."),
            )

    def _held(self) -> TuteeError:
        holder = ""
        with suppress(OSError, UnicodeDecodeError):
            holder = self._path.read_text(encoding="utf-8").strip()
        home = self._path.parent
        if holder.isdigit():
            title = _("Another Tutee (process {process}) is using {home}.").format(
                process=holder, home=home
            )
        else:
            title = _("Another Tutee is using {home}.").format(home=home)
        return TuteeError(title, _("Close it first, or choose another home with --home."))

    def release(self) -> None:
        """Release the lock; calling it again is safe."""
        if self._lock.is_locked:
            with suppress(OSError):
                if _identity(self._path) == self._identity:
                    self._path.write_text("", encoding="utf-8")
            self._lock.release()


def _identity(path: Path) -> tuple[int, int]:
    """What stays the same while a file does; no other file gets it as long as this one is open."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino
