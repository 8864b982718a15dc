"""The line that finds text in the open chat; above the prompt while it is used."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from store.i18n import _
from tui.commands.keymap import keyed


class FindInput(Input):
    """What to find; ↑ and ↓ step through the hits."""

    HELP = "While you search"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,enter", "screen.find_step(1)", "Hit before", show=False, id="find.before"),
        Binding("down", "screen.find_step(-1)", "Hit after", show=False, id="find.after"),
        Binding("ctrl+r", "screen.find_everywhere", "In all chats", show=False, id="find.all"),
        Binding("escape,ctrl+f", "screen.find_end", "Close", show=False, id="find.end"),
    ]


class FindBar(Horizontal):
    """Posts `Wanted` whenever the text changes; the screen steps through the hits."""

    class Wanted(Message):
        """The user searches for a text."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self) -> None:
        super().__init__(id="find")
        self.display = False

    def compose(self) -> ComposeResult:
        yield Static("⌕", id="find-mark", markup=False)
        field = FindInput(placeholder=_("find in this chat"), compact=True)
        field.cursor_blink = False
        yield field
        yield Static(id="find-count", markup=False)

    @property
    def text(self) -> str:
        return self.query_one(FindInput).value.strip()

    def begin(self, text: str) -> None:
        """Show the line, with `text` or else what was searched for before."""
        self.display = True
        field = self.query_one(FindInput)
        if text:
            field.value = text
        field.focus()
        field.select_all()
        self.post_message(self.Wanted(self.text))

    def end(self) -> None:
        self.display = False

    def count(self, place: int, hits: int) -> None:
        """Show the place of the hit in view, from 1, counted from the newest."""
        if not self.text:
            said = _("↑ ↓ step · {key:chat.open} all chats · Esc closes")
        elif hits:
            said = _("{place} of {count} · ↑ ↓ step · Esc closes").format(place=place, count=hits)
        else:
            said = _("not here · {key:chat.open} looks in all chats")
        self.query_one("#find-count", Static).update(keyed(self, said))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Wanted(self.text))
