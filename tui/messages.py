"""Messages between the app and its screens; messages of a single widget are nested in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from textual.message import Message

if TYPE_CHECKING:
    from core.events import Event
    from store.records import Record


class FromCore(Message, bubble=False):
    """An event of a worker, delivered on the thread of the app."""

    def __init__(self, event: "Event") -> None:
        super().__init__()
        self.event = event


class TokensWanted(Message):
    """The user asked which tokens of these records are trained on."""

    def __init__(self, records: "Sequence[Record]") -> None:
        super().__init__()
        self.records = records


@runtime_checkable
class Asker(Protocol):
    """A screen that requests replies of its own."""

    def asked(self, request_id: str) -> bool:
        """Whether it waits for the reply to that request."""


class Answered(Message):
    """A reply has ended, stored or not."""


class Taught(Message):
    """Feedback was stored or undone, so the counts in the header are stale."""
