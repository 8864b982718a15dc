"""Share the device between chat and training: replies first, training in the time between.

Two torch programs on the same cores slow each other down many times over, so only one runs at a
time. A reply holds the device from its first to its last token and a pass for one micro-batch, so a
reply waits for one micro-batch at most and then runs at full speed. Paused training never runs.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Event

from core.runtime import openmp


class Cancelled(Exception):
    """The user cancelled; not an error, and never shown as one."""


class Scheduler:
    """Shared by the chat thread and the training thread."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._replies = 0
        self._training = False
        self._paused = False
        self.waited = 0.0
        """Seconds that training has spent waiting, paused or for replies."""

    @contextmanager
    def reply(self) -> Iterator[None]:
        """Hold the device for one reply; waits for the current micro-batch."""
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
        """Hold the device for one micro-batch; waits for all replies, and while paused.

        Raises:
            Cancelled: `cancelled` was set before or during the wait (then call `wake`).
        """
        began = time.perf_counter()
        with self._changed:
            if self._replies or self._paused:
                openmp.release_threads()
            self._changed.wait_for(
                lambda: not (self._replies or self._paused) or cancelled.is_set()
            )
            self.waited += time.perf_counter() - began
            if cancelled.is_set():
                raise Cancelled
            self._training = True
        try:
            yield
        finally:
            with self._changed:
                self._training = False
                self._changed.notify_all()

    def pause(self, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def wake(self) -> None:
        """Make a waiting micro-batch check its `cancelled` event."""
        with self._changed:
            self._changed.notify_all()
