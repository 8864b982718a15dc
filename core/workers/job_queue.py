"""A thread that runs jobs one after another."""

import logging
from collections.abc import Callable
from enum import IntEnum
from itertools import count
from queue import PriorityQueue
from threading import Event as Flag
from threading import Thread

from core.runtime import openmp

log = logging.getLogger(__name__)

_Job = Callable[[], None]


class Lane(IntEnum):
    """A job waits for all jobs of the lanes before its own."""

    CHAT = 0
    GUEST_BEGUN = 1
    """A reply to another program that gave way to the chat."""
    GUEST = 2


class JobQueue:
    """Runs jobs lane by lane, and in a lane in their order, in a daemon thread; between two it
    holds no OpenMP helpers."""

    def __init__(self, name: str) -> None:
        self._jobs: PriorityQueue[tuple[Lane, int, _Job | None]] = PriorityQueue()
        self._numbers = count()
        self.closing = Flag()
        """Set by `close`; a long job checks it and ends."""
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, unless it runs; jobs put before wait for it."""
        if not self._thread.is_alive():
            self._thread.start()

    def put(self, job: _Job | None, lane: Lane = Lane.CHAT) -> None:
        """Run `job` after those put before into its lane.

        One that raises is logged, and the next one runs.
        """
        self._jobs.put((lane, next(self._numbers), job))

    def chat_waits(self) -> bool:
        """Return whether a job of the chat waits."""
        with self._jobs.mutex:
            return bool(self._jobs.queue) and self._jobs.queue[0][0] == Lane.CHAT

    def close(self, timeout: float) -> bool:
        """Drop the waiting jobs, and return whether the thread ended within `timeout` seconds."""
        self.closing.set()
        self.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()[2]) is not None and not self.closing.is_set():
            try:
                job()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:
                log.exception("A job of the thread %s failed", self._thread.name)
            openmp.release_threads()
