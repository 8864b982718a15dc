"""A section of counts as a bar chart."""

from textual.content import Content
from textual.widgets import Static

from tui.text_format import bar, shortened
from tui.theme import MUTED
from tui.views.statistics import SectionView

_NAME_CELLS = 21
_COUNT_CELLS = 7
_MAX_BAR_CELLS = 30


class BarChart(Static):
    """A title and one bar per count, scaled to the largest."""

    def __init__(self, section: SectionView) -> None:
        super().__init__()
        self._section = section

    def render(self) -> Content:
        lines = [Content(self._section.title).stylize("bold")]
        most = max((row.count for row in self._section.rows), default=0)
        notes = max((len(row.note) + 2 for row in self._section.rows if row.note), default=0)
        room = self.content_size.width - _NAME_CELLS - _COUNT_CELLS - notes - 4
        width = max(min(room, _MAX_BAR_CELLS), 0)
        for row in self._section.rows:
            name = Content(shortened(row.name, _NAME_CELLS - 1))
            drawn = bar(row.count / most if most else 0, width).rstrip()
            if row.count and not drawn and width > 0:
                drawn = "╸"
            lines.append(
                Content.assemble(
                    name,
                    " " * (_NAME_CELLS - name.cell_length),
                    f"{row.count:>{_COUNT_CELLS},}  ",
                    (drawn, row.style),
                    (f"  {row.note}" if row.note else "", MUTED),
                )
            )
        return Content("\n").join(lines)
