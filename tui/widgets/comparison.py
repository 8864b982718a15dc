"""Two replies beside each other, to choose from with the arrows."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from store.i18n import _
from tui.text_format import harmless
from tui.theme import MUTED
from tui.views.comparison import AnswerView


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
        Binding("left", "screen.pick('first')", "A is better", show=False, id="compare.first"),
        Binding("right", "screen.pick('second')", "B is better", show=False, id="compare.second"),
        Binding("up", "screen.pick('both')", "Both are good", show=False, id="compare.both"),
        Binding("down", "screen.pick('neither')", "Both are bad", show=False, id="compare.neither"),
        Binding("ctrl+z", "screen.undo", "Undo", key_display="^z", id="compare.undo"),
        Binding("pageup", "page(-1)", "Scroll up", show=False, id="compare.page_up"),
        Binding("pagedown", "page(1)", "Scroll down", show=False, id="compare.page_down"),
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
    return Content(_("(nothing)") if view.whole else "…").stylize(MUTED)
