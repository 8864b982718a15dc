"""A text area that renders no control characters of its text."""

from rich.text import Text
from textual.widgets import TextArea

from tui.text_format import harmless


class SafeTextArea(TextArea):
    """Draws a blank for each control character; the text itself keeps it."""

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        return Text(harmless(line.plain), style=line.style, end="", no_wrap=True)
