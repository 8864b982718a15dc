"""Who may use the processor now: chat goes first, tuning fills the time between replies.

Two torch programs on the same cores slow each other down many times over, so they take turns. A
reply holds its turn from first to last token; a pass takes one turn a micro-batch, so a reply waits
at most one micro-batch and then runs at full speed. While tuning is paused it gets no turn at all.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Event

from core.runtime import openmp


class Cancelled(Exception):
    """The person cancelled the pass; not an error, and never shown as one."""


class Scheduler:
    """Shared by the chat thread and the tuning thread."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._replies = 0
        self._training = False
        self._paused = False
        self.waited = 0.0
        """Seconds that tuning has spent waiting for its turn."""

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
        """Hold the processor for one micro-batch; waits while a reply is wanted, or while paused.

        Raises:
            Cancelled: `cancelled` was set before or during the wait (then call `wake`).
        """
        began = time.perf_counter()
        with self._changed:
            if self._replies or self._paused:
                openmp.rest()
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
        """Keep tuning waiting, or no longer."""
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def wake(self) -> None:
        """Make a waiting pass look at its `cancelled` event again."""
        with self._changed:
            self._changed.notify_all()
