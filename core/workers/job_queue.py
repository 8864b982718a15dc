"""A thread that runs jobs one after another."""

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread

from core.runtime import openmp

log = logging.getLogger(__name__)


class JobQueue:
    """Runs jobs in their order in a daemon thread; between two it holds no OpenMP helpers."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.closing = Flag()
        """Set by `close`; a long job checks it and ends."""
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, unless it runs; jobs put before wait for it."""
        if not self._thread.is_alive():
            self._thread.start()

    def put(self, job: Callable[[], None]) -> None:
        """Run `job` after those put before; one that raises is logged, and the next one runs."""
        self._jobs.put(job)

    def close(self, timeout: float) -> bool:
        """Drop the waiting jobs, and return whether the thread ended within `timeout` seconds."""
        self.closing.set()
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None and not self.closing.is_set():
            try:
                job()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:
                log.exception("A job of the thread %s failed", self._thread.name)
            openmp.release_threads()
