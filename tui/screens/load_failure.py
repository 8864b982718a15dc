"""Say why the model could not be loaded, what to do, and where the details are."""

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from store.errors import TuteeError
from store.i18n import _
from tui.commands.keymap import keyed


class LoadFailureScreen(Screen[None]):
    """Closes when the user tries again."""

    TITLE = "The model is not available"
    HELP = """The model could not be loaded. Try again, or choose another model. Your chats and
        records are safe."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "dismiss", "Try again", id="failure.retry"),
        Binding("ctrl+o", "app.models", "Models", id="app.models"),
    ]

    def __init__(self, error: TuteeError, log_file: Path) -> None:
        super().__init__()
        self._error = error
        self._log_file = log_file

    def compose(self) -> ComposeResult:
        with Vertical(id="failure"):
            yield Static(Content(_("The model is not available")).stylize("bold $text-error"))
            yield Static(self._error.title, markup=False)
            if self._error.hint:
                yield Static(self._error.hint, markup=False)
            yield Static(
                Content.assemble(
                    ("R", "bold"),
                    _(" tries again · "),
                    (keyed(self, "{key:app.models}"), "bold"),
                    _(" chooses another model · "),
                    (keyed(self, "{key:app.quit}"), "bold"),
                    _(" quits\n"),
                    _("Your chats and records are safe, and your last message is kept."),
                )
            )
            details = _("Details: {file}").format(file=self._log_file)
            yield Static(details, classes="dim", markup=False)
