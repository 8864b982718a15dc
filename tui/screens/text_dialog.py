"""Ask for one line of text."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class TextDialog(ModalScreen[str | None]):
    """Return the text, which may be empty, or None if the user left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Cancel", id="app.back")]

    def __init__(self, title: str, value: str, placeholder: str, keys: str) -> None:
        super().__init__()
        self._title = title
        self._value = value
        self._placeholder = placeholder
        self._keys = keys

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._title).stylize("bold"), classes="dialog-title")
            line = Input(self._value, placeholder=self._placeholder, compact=True)
            line.cursor_blink = False
            yield line
            yield Static(self._keys, classes="dialog-keys", markup=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
