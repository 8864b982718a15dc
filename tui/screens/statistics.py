"""What there is to learn from, in numbers and bars, and what is thin."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from store.i18n import _
from tui.background import aside, in_thread
from tui.controllers.records import Library
from tui.theme import MUTED
from tui.views.statistics import StatisticsView
from tui.widgets.bar_chart import Bars
from tui.widgets.footer import Footer


class StatisticsScreen(Screen[None]):
    """The gaps first, because they say what to do next; then every count."""

    TITLE = "Statistics"
    HELP = """What there is to learn from, and what is thin."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
    ]

    def __init__(self, library: Library) -> None:
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
        self._title(_("counting…"))
        aside(self, self._count, "count")

    async def _count(self) -> None:
        records, learned = self._library.records(), self._library.trained()
        view = await in_thread(lambda _: self._library.statistics(records, learned))
        self._title(view.summary)
        self.query_one("#gaps", Static).update(_gaps(view))
        half = (sum(len(section.rows) + 2 for section in view.sections) + 1) // 2
        left = self.query_one("#counts-left")
        for section in view.sections:
            place = left if half > 0 else self.query_one("#counts-right")
            await place.mount(Bars(section))
            half -= len(section.rows) + 2

    def _title(self, rest: str) -> None:
        line = Content.assemble((_("Statistics"), "bold"), "  ", (rest, MUTED))
        self.query_one("#statistics-title", Static).update(line)


def _gaps(view: StatisticsView) -> Content:
    if not view.gaps:
        return Content(_("Nothing is thin.")).stylize("$text-success")
    heading = Content(_("What is thin")).stylize("bold")
    lines = (Content.assemble(("▸ ", "$text-warning"), gap) for gap in view.gaps)
    return Content("\n").join([heading, *lines])
