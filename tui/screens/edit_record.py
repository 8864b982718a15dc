"""The texts of a record that is about no reply of a chat, to be written anew."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from store.i18n import N_, _
from store.records import Preference, Record
from tui.commands.keymap import keyed
from tui.text_format import harmless, one_line, shortened
from tui.widgets.form import Field
from tui.widgets.safe_text_area import Area

_QUOTED = 130
"""Cells of the question: two lines of a narrow terminal."""
_KEYS = N_("Ctrl+S saves · Tab goes on · Esc leaves it as it was")
_SURE = N_("Not saved yet. Esc again drops what you wrote · Ctrl+S saves it")

Save = Callable[[Mapping[str, str], str], None]
"""Keep the texts, by field, and the comment; an error leaves the screen open."""


class EditScreen(ModalScreen[None]):
    """Each text in an editor of its own.

    Args:
        record: What is edited.
        save: Keeps it.
    """

    TITLE = "Edit"
    HELP = """The texts of the record, to be written anew. It becomes a new record, so that the next
        run learns what it says now."""
    AUTO_FOCUS = "TextArea"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="edit.save"),
        Binding("escape", "leave", "Leave", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(self, record: Record, save: Save) -> None:
        super().__init__()
        self._record = record
        self._save = save
        self._first: dict[str, str] = {}
        self._was = one_line(harmless(record.comment))
        self._sure = False

    def compose(self) -> ComposeResult:
        pair = isinstance(self._record, Preference)
        names = (
            {"chosen": _("chosen"), "rejected": _("rejected")}
            if pair
            else {"completion": _("reply")}
        )
        with Vertical(classes="dialog wide"):
            yield Static(Content(_("Edit this record")).stylize("bold"), classes="dialog-title")
            asked = shortened(harmless(self._record.prompt[-1].content), _QUOTED)
            yield Static(
                _("Asked: {question}").format(question=asked), classes="quoted", markup=False
            )
            for field, name in names.items():
                area = Area(getattr(self._record, field), id=field, highlight_cursor_line=False)
                area.border_title = name
                area.cursor_blink = False
                yield area
            yield Field(_("Comment"), self._was, _("if you like"), id="comment")
            yield Static(keyed(self, _(_KEYS)), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        self._first = self._texts()  # an editor has line ends of its own

    def _texts(self) -> dict[str, str]:
        return {str(area.id): area.text for area in self.query(TextArea)}

    @property
    def _comment(self) -> str:
        return self.query_one("#comment", Field).value

    def action_save(self) -> None:
        """Keep it."""
        self._save(self._texts(), self._comment)
        self.dismiss()

    def action_leave(self) -> None:
        """Leave, after asking where something would be lost."""
        if self._sure or (self._texts(), self._comment) == (self._first, self._was):
            self.dismiss()
            return
        self._sure = True
        keys = self.query_one(".dialog-keys", Static)
        keys.update(keyed(self, _(_SURE)))
        keys.add_class("waiting")
