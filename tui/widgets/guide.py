"""The line over the prompt that leads through the first steps; there only while there is one."""

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from store.i18n import _
from tui.theme import MUTED
from tui.views.next_step import SKIP


class Guide(Container):
    """What to do next, in the column of the prompt below it."""

    line: reactive[str] = reactive("")

    def compose(self) -> ComposeResult:
        yield Static()

    def watch_line(self, line: str) -> None:
        self.display = bool(line)
        said = Content.assemble((line, "$text-primary"), (f"  {_(SKIP)}", MUTED))
        self.query_one(Static).update(said)
