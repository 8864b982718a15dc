"""Choose a theme; the highlighted one is applied as a preview."""

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

_DESCRIPTIONS = {
    "auto": N_("dark or light, like the terminal"),
    "terminal": N_("the terminal's own colors"),
}


class ThemeScreen(ModalScreen[ThemeName | None]):
    """Return the chosen theme, or None if the user left; `preview` applies one unsaved."""

    TITLE = "Theme"
    HELP = """Each theme is previewed as you highlight it. Enter keeps it."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(self, name: ThemeName, preview: Callable[[ThemeName], None]) -> None:
        super().__init__()
        self._names: tuple[ThemeName, ...] = get_args(ThemeName)
        self._name = name
        self._preview = preview

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(_("Theme")).stylize("bold"), classes="dialog-title")
            yield OptionList(*map(_option, self._names))
            yield Static(_("Enter keeps it · Esc cancels"), classes="dialog-keys")

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = self._names.index(self._name)

    @on(OptionList.OptionHighlighted)
    def _moved(self, event: OptionList.OptionHighlighted) -> None:
        self._preview(self._names[event.option_index])

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._names[event.option_index])


def _option(name: ThemeName) -> Option:
    return Option(Content.assemble(name, (f"  {_(_DESCRIPTIONS.get(name, ''))}", MUTED)))
