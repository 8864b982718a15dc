"""A lock that lets one process at a time create a cache folder, with progress and cancellation."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from core.events import ModelLoading
from store.errors import TuteeError
from store.i18n import _


@contextlib.contextmanager
def exclusive(
    place: Path,
    what: str,
    on_progress: Callable[[ModelLoading], None],
    should_stop: Callable[[], bool],
) -> Iterator[None]:
    """Hold the lock next to `place` during the block.

    Args:
        what: Name of the model, shown while waiting.

    Raises:
        TuteeError: `should_stop` returned true while waiting.
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
                ModelLoading(
                    _("Waiting for another Tutee that is downloading {what}").format(what=what)
                )
            )
            if should_stop():
                raise TuteeError(_("Download of {what} was stopped.").format(what=what)) from None
    try:
        yield
    finally:
        lock.release()
