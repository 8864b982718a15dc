"""Messages that travel between the app and its screens; those of one widget are nested in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from textual.message import Message

if TYPE_CHECKING:
    from core.events import Event
    from store.records import Record


class FromCore(Message, bubble=False):
    """An event of a worker thread, now on the thread of the app."""

    def __init__(self, event: "Event") -> None:
        super().__init__()
        self.event = event


class TokensWanted(Message):
    """The person wants to see which tokens of these records are trained on."""

    def __init__(self, records: "Sequence[Record]") -> None:
        super().__init__()
        self.records = records


@runtime_checkable
class Asker(Protocol):
    """A screen that asks the worker for replies of its own."""

    def asked(self, request_id: str) -> bool:
        """Whether it waits for that reply."""


class Answered(Message):
    """A reply was stored, or none came of it."""


class Taught(Message):
    """Feedback was stored or taken back, so the counts in the header are stale."""
