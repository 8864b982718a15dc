"""First start: choose the model that learns from the user; the built-in one by default."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from core.config import BUILTIN
from store.i18n import N_, _
from tui.commands.keymap import keyed
from tui.error_toasts import errors_shown
from tui.screens.models import ModelsScreen
from tui.theme import MUTED

_QUESTION = N_("Which model should answer and learn from you?")
_KEYS = N_("Enter picks one, downloaded if needed. {key:app.models} changes it later.")


class WelcomeScreen(ModelsScreen):
    """The list of models; closes at once, and a missing model downloads in the background."""

    TITLE = "Welcome"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "skip", "Built-in model", key_display="Esc", id="app.back"),
        Binding("ctrl+o", "skip", "Built-in model", show=False, id="app.models"),
    ]

    def compose(self) -> ComposeResult:
        welcome, keys = (_("Welcome to Tutee. "), "bold"), (keyed(self, _(_KEYS)), MUTED)
        yield Static(Content.assemble(welcome, _(_QUESTION), "\n", keys), id="models-welcome")
        yield from super().compose()

    def on_mount(self) -> None:
        self.query_one("#models-title").display = False

    def _choose(self, spec: str) -> None:
        with errors_shown(self.app):
            self._chooser.choose(spec)
            self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Do not leave without a model."""
        return action != "dismiss" and super().check_action(action, parameters)

    def action_skip(self) -> None:
        self._choose(BUILTIN)
