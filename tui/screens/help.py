"""Help for the open screen: its purpose, and every key as the user has bound it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from store.i18n import _
from tui.commands.key_help import KeyView
from tui.theme import MUTED

_KEY_CELLS = 14


class HelpScreen(ModalScreen[None]):
    """Help for the screen below this one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", id="app.back"),
        Binding("f1", "dismiss", "Back", show=False, id="app.help"),
    ]

    def __init__(self, title: str, text: str, sections: dict[str, list[KeyView]]) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._sections = sections

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog wide"):
            yield Static(Content(self._title).stylize("bold"), classes="dialog-title")
            if self._text:
                yield Static(self._text, markup=False)
            for title, keys in self._sections.items():
                yield Static(Content(title).stylize("bold"), classes="help-title")
                yield from (Static(_line(view), classes="help-line") for view in keys)
            yield Static(_("↑ ↓ scroll · Esc back"), classes="dialog-keys", markup=False)


def _line(view: KeyView) -> Content:
    keys = Content(view.keys)
    gap = " " * max(_KEY_CELLS - keys.cell_length, 2)
    return Content.assemble(keys.stylize("bold"), gap, view.does, (f"  {view.more}", MUTED))
