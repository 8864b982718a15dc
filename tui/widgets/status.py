"""The header: title, model, adapter version, and feedback counts."""

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from store.i18n import _
from tui.text_format import harmless, shortened
from tui.theme import MUTED

_TITLE = 12
"""Minimum cells of the title, however narrow the terminal."""
_GAP = 2


@dataclass(frozen=True)
class Status:
    """The contents of the header except the title."""

    model: str = ""
    adapter: str = ""
    liked: int = 0
    disliked: int = 0
    corrected: int = 0
    new: int | None = None
    """Instruction records the active adapter was not trained on; None until the model is ready."""


class StatusBar(Horizontal):
    """One line above the chat."""

    status: reactive[Status] = reactive(Status())
    chat: reactive[str] = reactive("")
    """Title of the open conversation; empty before its first message."""

    def compose(self) -> ComposeResult:
        yield Static(id="who")
        yield Static(id="taught")

    def _draw(self) -> None:
        taught = _taught(self.status)
        room = self.content_size.width - taught.cell_length - _GAP
        # Both can change before their widgets exist.
        for place in self.query("#who").results(Static):
            place.update(_who(self.chat, self.status, room))
        for place in self.query("#taught").results(Static):
            place.update(taught)

    on_resize = watch_status = watch_chat = _draw


def _who(chat: str, status: Status, room: int) -> Content:
    """Title, model and version, with the title shortened to fit into `room` cells."""
    between = Content(" · ").stylize(MUTED)
    answers = [Content(part) for part in (status.model, status.adapter) if part]
    taken = sum(between.cell_length + part.cell_length for part in answers)
    title = shortened(harmless(chat), max(room - taken, _TITLE))
    return between.join([Content(title or "Tutee").stylize("bold"), *answers])


def _taught(status: Status) -> Content:
    counts = Content(f"👍 {status.liked}  👎 {status.disliked}  ✎ {status.corrected}")
    if status.new is None:
        return counts
    new = (_("{count} to learn").format(count=status.new), "$text-warning" if status.new else MUTED)
    return Content.assemble(counts, (" · ", MUTED), new)
