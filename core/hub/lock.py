"""One Tutee at a time makes a folder of the cache; the others wait for it, or stop."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from core.events import ModelLoading
from store.errors import TuteeError
from store.i18n import _


@contextlib.contextmanager
def alone(
    place: Path,
    what: str,
    on_progress: Callable[[ModelLoading], None],
    should_stop: Callable[[], bool],
) -> Iterator[None]:
    """Hold the lock beside `place` while the block makes it.

    Args:
        what: The model's name, for a person who waits.

    Raises:
        TuteeError: `should_stop` said so.
    """
    from filelock import FileLock, Timeout

    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(place.with_name(f".{place.name}.lock"), mode=0o600)
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except Timeout:
            on_progress(
                ModelLoading(_("Waiting for another Tutee that fetches {what}").format(what=what))
            )
            if should_stop():
                raise TuteeError(_("Fetching {what} was stopped.").format(what=what)) from None
    try:
        yield
    finally:
        lock.release()
