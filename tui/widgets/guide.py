"""The line above the prompt that guides a new user through the first steps."""

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from store.i18n import _
from tui.theme import MUTED
from tui.views.next_step import SKIP


class Guide(Container):
    """The next step, aligned with the prompt; hidden without one."""

    line: reactive[str] = reactive("")

    def compose(self) -> ComposeResult:
        yield Static()

    def watch_line(self, line: str) -> None:
        self.display = bool(line)
        said = Content.assemble((line, "$text-primary"), (f"  {_(SKIP)}", MUTED))
        self.query_one(Static).update(said)
