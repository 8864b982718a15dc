"""Counts of the records as bars, and the gaps in them."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from store.i18n import _
from tui.background import aside, in_thread
from tui.controllers.records import RecordLibrary
from tui.views.statistics import StatisticsView
from tui.widgets.bar_chart import BarChart
from tui.widgets.footer import Footer
from tui.widgets.title import title_line


class StatisticsScreen(Screen[None]):
    """Gaps first, because they say what to do next; then every count."""

    TITLE = "Statistics"
    HELP = """How many records there are of each kind, and where more are needed."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
    ]

    def __init__(self, library: RecordLibrary) -> None:
        super().__init__()
        self._library = library

    def compose(self) -> ComposeResult:
        yield Static(id="statistics-title")
        with VerticalScroll(id="statistics"):
            yield Static(id="gaps")
            with Horizontal(id="counts"):
                yield Vertical(id="counts-left")
                yield Vertical(id="counts-right")
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        self._show_title(_("counting…"))
        aside(self, self._count, "count")

    async def _count(self) -> None:
        records, learned = self._library.records(), self._library.trained()
        view = await in_thread(lambda _: self._library.statistics(records, learned))
        self._show_title(view.summary)
        self.query_one("#gaps", Static).update(_gaps(view))
        half = (sum(len(section.rows) + 2 for section in view.sections) + 1) // 2
        for section in view.sections:
            place = self.query_one("#counts-left" if half > 0 else "#counts-right")
            await place.mount(BarChart(section))
            half -= len(section.rows) + 2

    def _show_title(self, detail: str) -> None:
        self.query_one("#statistics-title", Static).update(title_line(_("Statistics"), detail))


def _gaps(view: StatisticsView) -> Content:
    if not view.gaps:
        return Content(_("No gaps.")).stylize("$text-success")
    heading = Content(_("Gaps")).stylize("bold")
    lines = (Content.assemble(("▸ ", "$text-warning"), gap) for gap in view.gaps)
    return Content("\n").join([heading, *lines])
