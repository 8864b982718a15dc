"""The header: title, model, adapter version, use of the context, and what there is to learn."""

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from store.i18n import _
from tui.text_format import harmless, short_count, shortened
from tui.theme import MUTED

_TITLE = 12
"""Minimum cells of the title, however narrow the terminal."""
_GAP = 2
_BOUNDLESS = 2**31
"""The context of a model that has no limit."""
_FULL = 0.8
"""Share of the context from which on it is shown as nearly full."""


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
    """One line above the chat: the title, and at the right what the chat depends on."""

    status: reactive[Status] = reactive(Status())
    chat: reactive[str] = reactive("")
    """Title of the open conversation; empty before its first message."""
    context: reactive[tuple[int, int]] = reactive((0, 0))
    """Tokens of the open conversation, and of the model's context; 0 if unknown."""

    def compose(self) -> ComposeResult:
        yield Static(id="who")
        yield Static(id="facts")

    def _draw(self) -> None:
        width = self.content_size.width
        facts = _facts(self.status, self.context, width - _TITLE - _GAP)
        # Both can change before their widgets exist.
        for place in self.query("#who").results(Static):
            title = shortened(harmless(self.chat), max(width - facts.cell_length - _GAP, _TITLE))
            place.update(Content(title or "Tutee").stylize("bold"))
        for place in self.query("#facts").results(Static):
            place.update(facts)

    on_resize = watch_status = watch_chat = watch_context = _draw


def _facts(status: Status, context: tuple[int, int], room: int) -> Content:
    """Model, version, context and what there is to learn, in at most `room` cells if possible."""
    between = Content(" · ").stylize(MUTED)
    model = [Content(status.model)] if status.model else []
    version = [Content(status.adapter).stylize(_version_style(status))] if status.adapter else []
    learn = _("{count} to learn").format(count=status.new)
    new = [] if status.new is None else [Content(learn).stylize(_new_style(status.new))]
    for parts in (
        [*model, *version, *_context(*context), *new],
        [*model, *version, *new],
        [*version, *_context(*context), *new],
    ):
        facts = between.join(parts)
        if facts.cell_length <= room:
            break
    return facts


def _version_style(status: Status) -> str:
    return MUTED if status.adapter == "base" else "$text-primary"


def _new_style(count: int) -> str:
    return "$text-warning" if count else MUTED


def _context(used: int, limit: int) -> list[Content]:
    if not used:
        return []
    share = used / limit if 0 < limit < _BOUNDLESS else 0.0
    of = f" / {short_count(limit)}" if share else ""
    return [Content(f"{short_count(used)}{of}").stylize("$text-warning" if share > _FULL else "")]
