"""The log of the training runs since the app started."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from store.i18n import _
from store.local_time import local
from tui.text_format import harmless
from tui.theme import MUTED
from tui.widgets.footer import Footer
from tui.widgets.title import title_line


class LogScreen(Screen[None]):
    """The log, scrolled to its end."""

    TITLE = "Log"
    HELP = """What the training runs did since Tutee started. The log file has the full text of
        errors."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("g", "dismiss", "Back", show=False, id="tune.log"),
    ]

    def __init__(self, lines: Sequence[tuple[datetime, str]], log_file: Path) -> None:
        super().__init__()
        self._lines = lines
        self._log_file = log_file

    def compose(self) -> ComposeResult:
        file = _("full errors: {file}").format(file=self._log_file)
        yield Static(title_line(_("Log"), file), id="log-title")
        with VerticalScroll(id="log"):
            yield Static(Content("\n").join(map(_line, self._lines)))
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        self.query_one("#log", VerticalScroll).scroll_end(animate=False)


def _line(line: tuple[datetime, str]) -> Content:
    when, what = line
    return Content.assemble((f"{local(when):%H:%M:%S}  ", MUTED), harmless(what))
