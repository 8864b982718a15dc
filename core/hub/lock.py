"""A lock that lets one process at a time create a cache folder, with progress and cancellation."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from core.events import ModelLoading
from store.errors import TuteeError
from store.i18n import _

ProgressCallback = Callable[[ModelLoading], None]
ShouldStop = Callable[[], bool]


@contextlib.contextmanager
def exclusive(
    place: Path, what: str, on_progress: ProgressCallback, should_stop: ShouldStop
) -> Iterator[None]:
    """Hold the lock next to `place` during the block; `what` names the model while waiting.

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
            stage = _("Waiting for another Tutee that is downloading {what}").format(what=what)
            on_progress(ModelLoading(stage))
            if should_stop():
                raise TuteeError(_("Download of {what} was stopped.").format(what=what)) from None
    try:
        yield
    finally:
        lock.release()
