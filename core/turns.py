"""Who may use the processor now: chat goes first, tuning fills the time between replies.

Two torch programs on the same cores slow each other down many times over, so they take turns. A
reply holds its turn from first to last token; a pass takes one turn a micro-batch, so a reply waits
at most one micro-batch and then runs at full speed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Event


class Cancelled(Exception):
    """The person cancelled the pass; not an error, and never shown as one."""


class Turns:
    """Shared by the chat thread and the tuning thread."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._replies = 0
        self._training = False

    @contextmanager
    def reply(self) -> Iterator[None]:
        """Hold the processor for one reply; waits for the micro-batch under way."""
        with self._changed:
            self._replies += 1
            self._changed.wait_for(lambda: not self._training)
        try:
            yield
        finally:
            with self._changed:
                self._replies -= 1
                self._changed.notify_all()

    @contextmanager
    def micro_batch(self, cancelled: Event) -> Iterator[None]:
        """Hold the processor for one micro-batch; waits while any reply runs or is wanted.

        Raises:
            Cancelled: `cancelled` was set before or during the wait (then call `wake`).
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._replies or cancelled.is_set())
            if cancelled.is_set():
                raise Cancelled
            self._training = True
        try:
            yield
        finally:
            with self._changed:
                self._training = False
                self._changed.notify_all()

    def wake(self) -> None:
        """Make a waiting pass look at its `cancelled` event again."""
        with self._changed:
            self._changed.notify_all()
