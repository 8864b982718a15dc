"""Two replies beside each other, to choose from with the arrows."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.text import harmless
from tui.theme import MUTED
from tui.views import AnswerView


class AnswerPane(VerticalScroll, can_focus=False):
    """One reply, under its letter, and under its version's name once that may be known."""

    def compose(self) -> ComposeResult:
        yield Static()

    def show(self, view: AnswerView) -> None:
        self.border_title = view.title
        self.border_subtitle = view.note
        self.set_class(view.good is True, "good")
        self.set_class(view.good is False, "bad")
        text = harmless(view.text)
        self.query_one(Static).update(Content(text) if text.strip() else _nothing(view))


class Answers(Horizontal, can_focus=True):
    """Both replies; it has the focus while one chooses."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # Said in the line below.
        Binding("left", "screen.pick('first')", show=False),
        Binding("right", "screen.pick('second')", show=False),
        Binding("up", "screen.pick('both')", show=False),
        Binding("down", "screen.pick('neither')", show=False),
        Binding("ctrl+z", "screen.undo", "Undo", key_display="^z"),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield AnswerPane(id="answer-a")
        yield AnswerPane(id="answer-b")

    def show(self, first: AnswerView, second: AnswerView) -> None:
        for pane, view in zip(self.query(AnswerPane), (first, second), strict=True):
            pane.show(view)

    def action_page(self, pages: int) -> None:
        for pane in self.query(AnswerPane):
            pane.scroll_relative(y=pages * pane.size.height, animate=False)


def _nothing(view: AnswerView) -> Content:
    return Content("(nothing)" if view.whole else "…").stylize(MUTED)
