"""Two replies side by side; the arrow keys choose between them."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from store.i18n import _
from tui.text_format import harmless
from tui.theme import MUTED
from tui.views.comparison import ComparedReply


class ComparisonPane(VerticalScroll, can_focus=False):
    """One reply, titled with its letter, and with its version once revealed."""

    def compose(self) -> ComposeResult:
        yield Static()

    def show(self, view: ComparedReply) -> None:
        self.border_title = view.title
        self.border_subtitle = view.note
        self.set_class(view.good is True, "good")
        self.set_class(view.good is False, "bad")
        text = harmless(view.text)
        self.query_one(Static).update(Content(text) if text.strip() else _placeholder(view))


class ComparisonPanes(Horizontal, can_focus=True):
    """Both replies; has the focus while the user chooses."""

    HELP = "Once both replies are there"

    BINDINGS: ClassVar[list[BindingType]] = [
        # Shown in the line below.
        Binding("left", "screen.pick('first')", "A is better", show=False, id="compare.first"),
        Binding("right", "screen.pick('second')", "B is better", show=False, id="compare.second"),
        Binding("up", "screen.pick('both')", "Both are good", show=False, id="compare.both"),
        Binding("down", "screen.pick('neither')", "Both are bad", show=False, id="compare.neither"),
        Binding("ctrl+z", "screen.undo", "Undo", key_display="^z", id="compare.undo"),
        Binding("pageup", "page(-1)", "Scroll up", show=False, id="compare.page_up"),
        Binding("pagedown", "page(1)", "Scroll down", show=False, id="compare.page_down"),
    ]

    def compose(self) -> ComposeResult:
        yield ComparisonPane(id="answer-a")
        yield ComparisonPane(id="answer-b")

    def show(self, first: ComparedReply, second: ComparedReply) -> None:
        for pane, view in zip(self.query(ComparisonPane), (first, second), strict=True):
            pane.show(view)

    def action_page(self, pages: int) -> None:
        for pane in self.query(ComparisonPane):
            pane.scroll_relative(y=pages * pane.size.height, animate=False)


def _placeholder(view: ComparedReply) -> Content:
    return Content(_("(nothing)") if view.complete else "…").stylize(MUTED)
