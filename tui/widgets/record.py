"""One record in full: conversation, reply, feedback and origin; or its tokens."""

from collections.abc import Iterator
from itertools import takewhile
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.background import replace_children
from tui.theme import MUTED
from tui.views.record_detail import DetailView, MaskView, TextView

_NAME_CELLS = 13
_CONTEXT_LINES = 3
"""Lines of prompt kept visible above the first learned token."""
_TRAINED = {
    True: ("bold $text-success", "bold $text-success underline"),
    False: ("bold $text-error", "bold $text-error underline"),
}
"""By whether the reply is learned or pushed away from. Two styles alternate, to show where a token
ends; bold, for terminals without colors."""


class RecordBody(VerticalScroll):
    """A record, or the tokens that training makes of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "screen.step(-1)", "Newer", key_display="←", id="record.newer"),
        Binding("right", "screen.step(1)", "Older", key_display="→", id="record.older"),
    ]

    async def show(self, view: DetailView) -> None:
        await self._replace([*_detail(view)])
        self.scroll_home(animate=False)

    async def show_mask(self, masks: tuple[MaskView, ...]) -> None:
        """Show its tokens, scrolled to the first learned one if they do not all fit."""
        await self._replace([RecordTokens(mask) for mask in masks])
        self.scroll_home(animate=False)
        self.call_after_refresh(self._go_to_learned)

    def _go_to_learned(self) -> None:
        for tokens in list(self.query(RecordTokens))[:1]:
            line = tokens.virtual_region.y + tokens.line_of_learned()
            if line >= self.size.height:
                self.scroll_to(y=line - _CONTEXT_LINES, animate=False)

    async def _replace(self, widgets: list[Widget]) -> None:
        with self.app.batch_update():
            await replace_children(self, widgets)


class RecordText(Static):
    """A text and its heading; green to learn, red to avoid."""

    def __init__(self, view: TextView) -> None:
        style = {True: "bold $text-success", False: "bold $text-error", None: "bold"}[view.good]
        super().__init__(Content(view.heading).stylize(style) + "\n" + Content(view.text))
        if view.good is not None:
            self.add_class("good" if view.good else "bad")


class RecordReplies(Horizontal):
    """The reply, or both replies of a pair, side by side if there is room.

    Scrolls into view at once: a long prompt would otherwise hide what the record was opened for.
    """

    def __init__(self, replies: tuple[TextView, ...]) -> None:
        super().__init__()
        self._replies = replies

    def compose(self) -> ComposeResult:
        for reply in self._replies:
            yield RecordText(reply)

    def on_show(self, event: events.Show) -> None:
        self.scroll_visible(animate=False)


class RecordTokens(Static):
    """Tokens in order: bold and green or red if they carry loss, otherwise dimmed."""

    def __init__(self, mask: MaskView) -> None:
        trained, styles = 0, _TRAINED[mask.good]
        parts: list[tuple[str, str]] = []
        for text, learned in mask.pieces:
            trained += learned
            parts.append((text, styles[trained % len(styles)] if learned else MUTED))
        heading = Content(mask.heading).stylize("bold") + "\n"
        before = takewhile(lambda piece: not piece[1], mask.pieces)
        self._before = heading + "".join(text for text, _ in before)
        super().__init__(heading + Content.assemble(*parts))

    def line_of_learned(self) -> int:
        """Return the 0-based line of the first token that carries loss."""
        return len(self._before.wrap(self.content_size.width)) - 1


def _detail(view: DetailView) -> Iterator[Widget]:
    if view.problems:
        lines = Content("\n").join(map(Content, view.problems))
        yield Static(lines.stylize("$text-warning"), classes="found")
    yield from map(RecordText, view.prompt)
    yield RecordReplies(view.replies)
    facts = (
        Content.assemble((f"{name:<{_NAME_CELLS}}", MUTED), value) for name, value in view.facts
    )
    yield Static(Content("\n").join(facts), classes="facts")
