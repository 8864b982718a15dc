"""The two sides of a correction, each marking the words that the other lacks."""

from collections import defaultdict

from rich.style import Style
from rich.text import Text
from textual.color import Color
from textual.content import Content
from textual.widgets import Static

from tui.text_format import harmless
from tui.views.word_diff import Spans
from tui.widgets.safe_text_area import SafeTextArea

_SHORT = 200
"""Most characters of a text that is edited from its end."""


class OriginalText(Static):
    """The model's reply; words missing from the user's version are red."""

    def mark(self, spans: Spans) -> None:
        mark = "$text-error underline"
        parts = ((harmless(span.text), mark if span.changed else "") for span in spans)
        self.update(Content.assemble(*parts))


class CorrectionEditor(SafeTextArea):
    """The user's version; words missing from the original are green."""

    def __init__(self, text: str) -> None:
        super().__init__(text, id="version", highlight_cursor_line=False)
        self.cursor_blink = False
        if len(text) <= _SHORT and "\n" not in text:
            self.move_cursor(self.document.end)  # of a long text, the first line is shown
        self._marks: dict[int, list[tuple[int, int]]] = {}
        """Column ranges by line."""

    def mark(self, spans: Spans) -> None:
        marks = _by_line(spans)
        if marks != self._marks:
            self._marks = marks
            self.notify_style_update()  # drops cached lines
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        green = Color.parse(self.app.current_theme.success or "green")
        style = Style(color=green.rich_color, underline=True)
        for start, end in self._marks.get(line_index, ()):
            line.stylize(style, start, end)
        return line


def _by_line(spans: Spans) -> dict[int, list[tuple[int, int]]]:
    """Locate the changed spans, as column ranges by line."""
    marks: dict[int, list[tuple[int, int]]] = defaultdict(list)
    line = column = 0
    for span in spans:
        for number, part in enumerate(span.text.split("\n")):
            if number:
                line, column = line + 1, 0
            if span.changed and part.strip():
                marks[line].append((column, column + len(part.rstrip())))
            column += len(part)
    return dict(marks)
