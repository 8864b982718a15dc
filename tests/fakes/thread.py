"""What the fakes share: a thread that runs jobs one after another, and a model folder."""

import queue
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from core.events import Event
from core.models.folder import ModelFolder

FOLDER = ModelFolder(path=Path("/nowhere"), id="fake-1", label="Fake-1", revision="r0")

Emit = Callable[[Event], None]


class Worker:
    """Does jobs one after another in a thread of its own."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.thread = Thread(target=self._work, daemon=True)

    def put(self, job: Callable[[], None]) -> None:
        if not self.thread.is_alive():
            self.thread.start()
        self.jobs.put(job)

    def close(self, timeout: float) -> bool:
        self.jobs.put(None)
        if self.thread.is_alive():
            self.thread.join(timeout)
        return not self.thread.is_alive()

    def _work(self) -> None:
        while (job := self.jobs.get()) is not None:
            job()
