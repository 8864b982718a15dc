"""A text area that renders no control characters of its text.

Its keys are those of the whole app: Ctrl+U clears the text, F6 and F7 are left to the screen, and
so are Ctrl+U and Ctrl+Z where there is nothing to clear or to undo.
"""

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from tui.text_format import harmless


class SafeTextArea(TextArea):
    """Draws a blank for each control character; the text itself keeps it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+u", "clear_text", "Clear the text", show=False, id="text.clear")
    ]

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        return Text(harmless(line.plain), style=line.style, end="", no_wrap=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "undo":
            return bool(self.history.undo_stack)
        if action == "clear_text":
            return bool(self.text)
        return action not in ("select_line", "select_all")

    def action_clear_text(self) -> None:
        """Clear all of the text, as one edit that can be undone."""
        if self.text and not self.read_only:
            self.replace("", self.document.start, self.document.end)
