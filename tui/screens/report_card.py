"""The report card of a version: keep it active, activate it, or roll back."""

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from core.evaluation.report_card import ReportCard
from tui.text_format import harmless
from tui.widgets.footer import Footer
from tui.widgets.report_card import ReportBody

ReportChoice = Literal["activate", "roll back"]


class ReportCardScreen(Screen[ReportChoice | None]):
    """Return the user's choice, or None to change nothing."""

    TITLE = "Report"
    HELP = """What a version changed: replies to the same prompts before and after, with changed
        words marked, and the metrics behind its gate."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", "Keep it", key_display="Enter", id="report.keep"),
        Binding("b", "choose('roll back')", "Roll back", key_display="B", id="report.roll_back"),
        Binding("a", "choose('activate')", "Activate", key_display="A", id="report.activate"),
        Binding("escape,q", "dismiss", "Back", key_display="Esc", id="app.back"),
        Binding("r", "dismiss", "Back", show=False, id="tune.report"),
    ]

    def __init__(self, card: ReportCard, *, active: bool, can_activate: bool) -> None:
        super().__init__()
        self._card = card
        self._active = active
        self._can_activate = can_activate

    def compose(self) -> ComposeResult:
        yield Static(Content(harmless(self._card.title)).stylize("bold"), id="report-title")
        yield ReportBody(self._card)
        yield Footer(compact=True, show_command_palette=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "keep" or parameters == ("roll back",):
            return self._active
        if parameters == ("activate",):
            return self._can_activate and not self._active
        return True

    def action_keep(self) -> None:
        self.dismiss(None)

    def action_choose(self, choice: ReportChoice) -> None:
        self.dismiss(choice)
