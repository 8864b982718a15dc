"""The line over the prompt that leads through the first steps; there only while there is one."""

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from store.language import _
from tui.guide import SKIP
from tui.theme import MUTED


class Guide(Static):
    """What to do next."""

    line: reactive[str] = reactive("")

    def watch_line(self, line: str) -> None:
        self.display = bool(line)
        self.update(Content.assemble((line, "$text-primary"), (f"  {_(SKIP)}", MUTED)))
