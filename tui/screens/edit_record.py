"""Edit a record that does not belong to a chat reply."""

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
from tui.widgets.safe_text_area import SafeTextArea

_QUOTED = 130
"""Cells of the quoted message: two lines of a narrow terminal."""
_KEYS = N_("{key:edit.save} saves · Tab moves on · Esc cancels")
_UNSAVED = N_("Not saved. Esc again discards your changes · {key:edit.save} saves them")

Save = Callable[[Mapping[str, str], str], None]
"""Store the texts by field, and the comment; an error leaves the screen open."""


class EditRecordScreen(ModalScreen[None]):
    """One editor for each text."""

    TITLE = "Edit"
    HELP = """Edit the texts of a record. Saving makes a new record, so that the next training run
        learns the new text."""
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
        self._initial_texts: dict[str, str] = {}
        self._initial_comment = one_line(harmless(record.comment))
        self._leave_confirmed = False

    def compose(self) -> ComposeResult:
        names = {"completion": _("reply")}
        if isinstance(self._record, Preference):
            names = {"chosen": _("chosen"), "rejected": _("rejected")}
        with Vertical(classes="dialog wide"):
            yield Static(Content(_("Edit this record")).stylize("bold"), classes="dialog-title")
            asked = shortened(harmless(self._record.prompt[-1].content), _QUOTED)
            yield Static(
                _("Asked: {question}").format(question=asked), classes="quoted", markup=False
            )
            for field, name in names.items():
                text = getattr(self._record, field)
                area = SafeTextArea(text, id=field, highlight_cursor_line=False)
                area.border_title = name
                area.cursor_blink = False
                yield area
            yield Field(_("Comment"), self._initial_comment, _("optional"), id="comment")
            yield Static(keyed(self, _(_KEYS)), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        self._initial_texts = self._texts()  # the editor normalizes line ends

    def _texts(self) -> dict[str, str]:
        return {str(area.id): area.text for area in self.query(TextArea)}

    @property
    def _comment(self) -> str:
        return self.query_one("#comment", Field).value

    def action_save(self) -> None:
        self._save(self._texts(), self._comment)
        self.dismiss()

    def action_leave(self) -> None:
        """Leave, on the second press if there are unsaved changes."""
        initial = (self._initial_texts, self._initial_comment)
        if self._leave_confirmed or (self._texts(), self._comment) == initial:
            self.dismiss()
            return
        self._leave_confirmed = True
        keys = self.query_one(".dialog-keys", Static)
        keys.update(keyed(self, _(_UNSAVED)))
        keys.add_class("waiting")
