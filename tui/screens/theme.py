"""Themes, tried on as one moves along the list."""

from collections.abc import Callable
from typing import ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.config import ThemeName
from store.i18n import N_, _
from tui.theme import MUTED

_MEANING = {
    "auto": N_("dark or light, as the terminal is"),
    "terminal": N_("the terminal's own colours"),
}


class ThemeScreen(ModalScreen[ThemeName | None]):
    """Gives back the one to keep; nothing where all stays as it was.

    Args:
        name: The one that is kept now.
        try_on: Shows one.
    """

    TITLE = "Theme"
    HELP = """Each theme is shown as you come to it, and kept only with Enter."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(self, name: ThemeName, try_on: Callable[[ThemeName], None]) -> None:
        super().__init__()
        self._names: tuple[ThemeName, ...] = get_args(ThemeName)
        self._name = name
        self._try_on = try_on

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(_("Theme")).stylize("bold"), classes="dialog-title")
            yield OptionList(*map(_option, self._names))
            yield Static(_("Enter keeps it · Esc leaves it as it was"), classes="dialog-keys")

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = self._names.index(self._name)

    @on(OptionList.OptionHighlighted)
    def _moved(self, event: OptionList.OptionHighlighted) -> None:
        self._try_on(self._names[event.option_index])

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._names[event.option_index])


def _option(name: ThemeName) -> Option:
    return Option(Content.assemble(name, (f"  {_(_MEANING.get(name, ''))}", MUTED)))
