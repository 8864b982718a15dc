"""The first start: which model is to learn from this person; the built-in one unless they say."""

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

_ASKED = N_("Which model is to answer, and to learn from you?")
_LATER = N_("Enter takes the marked one, fetched if need be. Ctrl+O changes it later.")


class WelcomeScreen(ModelsScreen):
    """The list of models, left once one was chosen; one that is not here is fetched meanwhile."""

    TITLE = "Welcome"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "skip", "The built-in one", key_display="Esc", id="app.back"),
        Binding("ctrl+o", "skip", "The built-in one", show=False, id="app.models"),
    ]

    def compose(self) -> ComposeResult:
        yield Static(
            Content.assemble(
                (_("Welcome to Tutee. "), "bold"), _(_ASKED), "\n", (keyed(self, _(_LATER)), MUTED)
            ),
            id="models-welcome",
        )
        yield from super().compose()

    def on_mount(self) -> None:
        self.query_one("#models-title").display = False

    def _choose(self, spec: str) -> None:
        with errors_shown(self.app):
            self._choosing.choose(spec)
            self.dismiss()

    def action_skip(self) -> None:
        """Begin with the built-in model."""
        self._choose(BUILTIN)
