"""Messages that travel between the app and its screens; those of one widget are nested in it."""

from typing import Protocol, runtime_checkable

from textual.message import Message

from core.events import Event


class FromCore(Message, bubble=False):
    """An event of a worker thread, now on the thread of the app."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event


@runtime_checkable
class Asker(Protocol):
    """A screen that asks the worker for replies of its own."""

    def asked(self, request_id: str) -> bool:
        """Whether it waits for that reply."""


class Taught(Message):
    """Feedback was stored or taken back, so the counts in the header are stale."""
