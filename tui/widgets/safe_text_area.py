"""A text area whose text cannot steer the terminal, whoever wrote it."""

from rich.text import Text
from textual.widgets import TextArea

from tui.text_format import harmless


class Area(TextArea):
    """Shows a blank for each character that would do something; the text itself keeps it."""

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        return Text(harmless(line.plain), style=line.style, end="", no_wrap=True)
