"""Correct a reply: the original beside the user's version, with the differences marked in both.

The screen stays open until the correction is stored, so a failed save loses nothing. The model can
draft the correction; a draft replaces the text as one edit, which Ctrl+Z undoes.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from core.events import ReplyDone, ReplyFailed, TokenChunk
from store.errors import TuteeError
from store.i18n import N_, _
from tui.commands.keymap import keyed
from tui.controllers.drafts import CorrectionDraft
from tui.error_toasts import guarded, show_error
from tui.messages import FromCore
from tui.terminal.external_editor import edited
from tui.text_format import harmless, one_line, shortened
from tui.views.chat import ReplyView
from tui.views.word_diff import Span, changes
from tui.widgets.correction import CorrectionEditor, OriginalText
from tui.widgets.form import Field

_COMPARED = 8000
"""Total characters up to which words are compared at each key; more would make typing lag."""
_QUOTED = 130
"""Cells of the quoted message: two lines of a narrow terminal."""
_KEYS = N_("{key:correct.save} saves · {key:text.clear} clears · Tab goes down · Esc leaves")
_UNSAVED = N_("Not saved. Esc again discards your version · {key:correct.save} saves it")
_DRAFTING = N_("The model is drafting… Esc stops it")
_DRAFTED = N_("A draft. Edit it, or {key:correct.save} saves it · Ctrl+Z restores your text")
_SAME = N_("The model wrote the same text. Change the instruction, or write it yourself.")

Save = Callable[[str, str], Awaitable[None]]
"""Store a correction and the reason for it; an error leaves the screen open."""


class CorrectScreen(ModalScreen[None]):
    """The original and an editor, side by side if there is room, and two fields below."""

    TITLE = "Correct"
    HELP = """Write what the reply should have been. It is kept as an instruction, and as a
        preference for your version over the original. Below you can say why, or tell the model how
        to rewrite the reply (“shorter”, “in Chinese”) and then edit or save its draft."""
    AUTO_FOCUS = "CorrectionEditor"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="correct.save"),
        Binding("ctrl+g", "editor", "Write in the editor", id="prompt.editor"),
        Binding("escape", "leave", "Leave", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(self, reply: ReplyView, save: Save, drafting: CorrectionDraft) -> None:
        super().__init__()
        self._reply = reply
        self._save = save
        self._drafting = drafting
        self._initial = ""
        self._why = one_line(harmless(reply.why))
        self._before_draft = ""
        """The user's text while a draft is shown in its place."""
        self._drafted = ("", "")
        """The draft, and the note shown until it is edited."""
        self._leave_confirmed = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(Content(_("✎ Correct this reply")).stylize("bold"), classes="dialog-title")
            asked = shortened(harmless(self._reply.question), _QUOTED)
            yield Static(
                _("You asked: {question}").format(question=asked), classes="quoted", markup=False
            )
            with Horizontal(id="panes"):
                with VerticalScroll(id="original", can_focus=False) as original:
                    original.border_title = _("original")
                    yield OriginalText(markup=False)
                version = CorrectionEditor(self._reply.shown)
                version.border_title = _("your version")
                yield version
            yield Field(_("Why"), self._why, _("what is better now (optional)"), id="why")
            yield Field(_("Let it draft"), "", _("shorter · in Chinese · as a list …"), id="draft")
            yield Static(keyed(self, _(_KEYS)), classes="dialog-keys", markup=False)

    @property
    def _version(self) -> CorrectionEditor:
        return self.query_one(CorrectionEditor)

    def on_mount(self) -> None:
        self._initial = self._version.text  # the editor normalizes line ends
        self._compare()
        original, version = self.query_one("#original", VerticalScroll), self._version
        self.watch(version, "scroll_y", partial(_follow, original), init=False)
        self.watch(original, "scroll_y", partial(_follow, version), init=False)

    def on_unmount(self) -> None:
        self._drafting.stop()

    @on(TextArea.Changed)
    def _edited(self) -> None:
        self._compare()
        if not self._drafting.writing:
            draft, note = self._drafted
            self._show_note(note if note and self._version.text == draft else _(_KEYS))

    def _compare(self) -> None:
        original, version = self._reply.text, self._version.text
        if len(original) + len(version) <= _COMPARED:
            before, after = changes(original, version)
        else:
            before, after = (Span(original, False),), ()
        self.query_one(OriginalText).mark(before)
        self._version.mark(after)

    # -- drafting --------------------------------------------------------------------------------

    def asked(self, request_id: str) -> bool:
        return self._drafting.asked(request_id)

    @on(Input.Submitted, "#draft Input")
    @guarded
    def _draft(self, event: Input.Submitted) -> None:
        event.stop()
        version = self._version
        if not self._drafting.writing:
            self._before_draft = version.text
        self._drafting.ask(self._before_draft, event.value)
        version.read_only = True
        self._show_note(_(_DRAFTING))

    @on(Input.Submitted, "#why Input")
    async def _reason_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        await self.run_action("save")

    @on(FromCore)
    @guarded
    def _from_core(self, message: FromCore) -> None:
        event = message.event
        if not isinstance(event, (TokenChunk, ReplyDone, ReplyFailed)):
            return
        self._drafting.on_reply(event)
        if isinstance(event, TokenChunk):
            self._version.load_text(self._drafting.text)
            self._version.scroll_end(animate=False)
            return
        if isinstance(event, ReplyFailed):
            show_error(self.app, event.error)
        self._take(self._drafting.text)

    def _take(self, draft: str) -> None:
        """Replace the user's text with the draft, if there is one, as a single edit."""
        version = self._version
        version.read_only = False
        version.load_text(self._before_draft)
        same = bool(draft) and draft == self._before_draft.strip()
        if draft and not same:
            version.replace(draft, version.document.start, version.document.end)
            version.focus()
        self._drafted = (version.text, _(_SAME) if same else _(_DRAFTED) if draft else "")
        self._edited()

    # -- leaving ---------------------------------------------------------------------------------

    def action_editor(self) -> None:
        """Continue in the user's own editor."""
        version = self._version
        if version.read_only:
            return
        try:
            text = edited(version.text, self.app.suspend())
        except SuspendNotSupported as error:
            raise TuteeError(_("This terminal cannot switch to an editor.")) from error
        version.replace(text, version.document.start, version.document.end)
        version.focus()

    async def action_save(self) -> None:
        if not self._drafting.writing:
            await self._save(self._version.text, self.query_one("#why", Field).value)
            self.dismiss()

    def action_leave(self) -> None:
        """Stop the draft; otherwise leave, on the second press if there are unsaved changes."""
        if self._drafting.writing:
            self._drafting.stop()
            self._take("")
            return
        why = self.query_one("#why", Field).value
        if self._leave_confirmed or (self._version.text, why) == (self._initial, self._why):
            self.dismiss()
        else:
            self._show_note(_(_UNSAVED))
            self._leave_confirmed = True

    def _show_note(self, text: str) -> None:
        """Replace the line of keys; leaving needs to be confirmed again."""
        self._leave_confirmed = False
        keys = self.query_one(".dialog-keys", Static)
        keys.update(keyed(self, text))
        keys.set_class(text in (_(_UNSAVED), _(_DRAFTING)), "waiting")


def _follow(other: Widget, y: float) -> None:
    """Scroll the other side to the same line, as far as it has that many."""
    if other.scroll_y != min(y, other.max_scroll_y):
        other.scroll_to(y=y, animate=False)
