"""Say it better: the reply beside the person's own version of it.

The text stays here until it is stored, so a correction that cannot be kept is not lost.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from tui.text import shortened
from tui.views import ReplyView

_KEYS = "Ctrl+S saves · F7 selects all · Esc leaves"
_SURE = "Not saved yet. Esc again drops your version · Ctrl+S saves it"


class CorrectScreen(ModalScreen[None]):
    """The original and an editor, side by side where there is room."""

    TITLE = "Correct"
    HELP = """Write what the reply should have been. It is kept as an instruction to learn, and
        as a preference of your version over the original."""
    AUTO_FOCUS = "TextArea"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="correct.save"),
        Binding("escape", "leave", "Leave", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(self, reply: ReplyView, save: Callable[[str], Awaitable[None]]) -> None:
        super().__init__()
        self._reply = reply
        self._save = save
        self._sure = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(Content("✎ Correct this reply").stylize("bold"), classes="dialog-title")
            yield Static(
                f"You asked: {shortened(self._reply.question, 300)}", classes="quoted", markup=False
            )
            with Horizontal(id="panes"):
                with VerticalScroll(id="original", can_focus=False) as original:
                    original.border_title = "original"
                    yield Static(self._reply.text, markup=False)
                yield self._editor()
            yield Static(_KEYS, classes="dialog-keys", markup=False)

    def _editor(self) -> TextArea:
        editor = TextArea(self._reply.shown, id="version", highlight_cursor_line=False)
        editor.border_title = "your version"
        editor.cursor_blink = False
        editor.move_cursor(editor.document.end)
        return editor

    @on(TextArea.Changed)
    def _edited(self) -> None:
        self._say(_KEYS, sure=False)

    async def action_save(self) -> None:
        await self._save(self.query_one(TextArea).text)
        self.dismiss()

    def action_leave(self) -> None:
        if self._sure or self.query_one(TextArea).text == self._reply.shown:
            self.dismiss()
        else:
            self._say(_SURE, sure=True)

    def _say(self, text: str, *, sure: bool) -> None:
        self._sure = sure
        keys = self.query_one(".dialog-keys", Static)
        keys.update(text)
        keys.set_class(sure, "waiting")
