"""The table of records: as many columns as fit, none wider than the screen."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import DataTable

from store.i18n import N_, _
from tui.text_format import shortened
from tui.views.record_list import RecordView, differing

_LOAD_AHEAD = 5
"""Distance to the last row at which more rows are requested."""


class _Column(NamedTuple):
    title: str
    cells: int
    """0 takes a share of the remaining width."""
    text: Callable[[RecordView], str]
    from_width: int = 0
    """Narrowest screen that shows the column."""


_WHEN = _Column(N_("  When"), 8, lambda view: view.when)
_KIND = _Column(N_("Kind"), 12, lambda view: view.kind)
_PROMPT = _Column(N_("Prompt"), 0, lambda view: view.prompt)
_COLUMNS = (
    _WHEN,
    _KIND,
    _PROMPT,
    _Column(N_("Reply"), 0, lambda view: view.reply),
    _Column(N_("Reasons"), 16, lambda view: view.feedback, 130),
    _Column(N_("Task"), 14, lambda view: view.task, 100),
    _Column(N_("Source"), 16, lambda view: view.source.removeprefix("import:"), 115),
    _Column(N_("Learned"), 8, lambda view: view.learned),
)
_PROBLEM_COLUMNS = (  # no prompt: the problem quotes it
    _WHEN,
    _KIND,
    _Column(N_("Problem"), 0, lambda view: " · ".join(view.problems)),
)


class RecordTable(DataTable[Text]):
    """Records as rows; posts `MoreWanted` near the end."""

    class OrderWanted(Message):
        """The user clicked a column header."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    class MoreWanted(Message):
        """The cursor is near the last row."""

    def __init__(self) -> None:
        super().__init__(cursor_type="row")
        self._views: list[RecordView] = []
        self._marked: frozenset[str] = frozenset()
        self._problems_only = False
        self._fit: dict[_Column, int] = {}
        self._drawn_width = 0

    def show(
        self, views: Sequence[RecordView], marked: frozenset[str], *, problems_only: bool
    ) -> None:
        """Replace the rows; the cursor stays on its record if that is still listed."""
        current, row = self.current, self.cursor_row
        self._views, self._marked, self._problems_only = list(views), marked, problems_only
        ids = [view.id for view in views]
        self._draw(ids.index(current) if current in ids else min(row, len(ids) - 1))

    def add(self, views: Sequence[RecordView]) -> None:
        self._views.extend(views)
        for view in views:
            self.add_row(*self._cells(view), key=view.id)

    def mark(self, marked: frozenset[str]) -> None:
        changed, self._marked = marked ^ self._marked, marked
        for view in self._views:
            if view.id in changed:
                self.update_cell(view.id, _WHEN.title, self._cells(view)[0])

    @property
    def current(self) -> str | None:
        """Id of the record under the cursor."""
        row = self.cursor_row
        return self._views[row].id if 0 <= row < len(self._views) else None

    @property
    def shown(self) -> int:
        return len(self._views)

    # -- drawing ---------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        if event.size.width != self._drawn_width:
            self._draw(self.cursor_row)

    def _draw(self, row: int) -> None:
        self._drawn_width = self.size.width
        with self.prevent(DataTable.RowHighlighted):
            self.clear(columns=True)
            self._fit = self._widths()
            for column, width in self._fit.items():
                self.add_column(Text(_(column.title)), width=width, key=column.title)
            for view in self._views:
                self.add_row(*self._cells(view), key=view.id)
            self.move_cursor(row=max(row, 0), animate=False)

    def _widths(self) -> dict[_Column, int]:
        wanted = _PROBLEM_COLUMNS if self._problems_only else _COLUMNS
        # Beside a preview, the table is narrower than the screen.
        columns = [column for column in wanted if self.size.width >= column.from_width]
        taken = sum(column.cells + 2 * self.cell_padding for column in columns)
        sharing = [column for column in columns if not column.cells]
        room = max(self.size.width - self.styles.scrollbar_size_vertical - taken, 0)
        share, rest = divmod(room, len(sharing))
        widths = {column: column.cells or max(share, 1) for column in columns}
        widths[sharing[-1]] += rest
        return widths

    def _cells(self, view: RecordView) -> list[Text]:
        mark = "●" if view.id in self._marked else " "
        style = "dim" if view.excluded else ""

        def cell(column: _Column, width: int) -> str:
            if column is _WHEN:
                return f"{mark} {view.when}"
            if column is _PROMPT:
                return differing(view.prompt, view.shared, width)
            return shortened(column.text(view), width)

        return [Text(cell(column, width), style) for column, width in self._fit.items()]

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        self.post_message(self.OrderWanted(str(event.column_key.value).strip()))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        if event.cursor_row >= len(self._views) - _LOAD_AHEAD:
            self.post_message(self.MoreWanted())
