"""Say it better: the reply beside the person's own version of it, what differs marked in both.

The text stays here until it is stored, so a correction that cannot be kept is not lost. The model
can be told to draft it; a draft takes the place of the version like any edit, and Ctrl+Z undoes it.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from core.events import ReplyDone, ReplyFailed, TokenChunk
from store.i18n import N_, _
from tui.commands.keymap import keyed
from tui.controllers.drafts import CorrectionDraft
from tui.error_toasts import guarded, show_error
from tui.messages import FromCore
from tui.text_format import harmless, one_line, shortened
from tui.views.chat import ReplyView
from tui.views.word_diff import Span, changes
from tui.widgets.correction import Original, Version
from tui.widgets.form import Field

_COMPARED = 8000
"""Characters of a text up to which its words are compared at each key; more would hold it up."""
_QUOTED = 130
"""Cells of the question: two lines of a narrow terminal."""
_KEYS = N_("Ctrl+S saves · Ctrl+L empties it · Tab to the lines below · Esc leaves")
_SURE = N_("Not saved yet. Esc again drops your version · Ctrl+S saves it")
_WAITS = N_("The model drafts… Esc stops it")
_DRAFTED = N_("A draft: change it, or Ctrl+S saves it as yours · Ctrl+Z brings yours back")
_SAME = N_("The model wrote the same again. Tell it otherwise, or write it yourself.")

Save = Callable[[str, str], Awaitable[None]]
"""Keep a correction, and why; an error leaves the screen open."""


class CorrectScreen(ModalScreen[None]):
    """The original and an editor, side by side where there is room, and two lines below them.

    Args:
        reply: What is corrected.
        save: Keeps the correction.
        drafting: Has the model write one.
    """

    TITLE = "Correct"
    HELP = """Write what the reply should have been. It is kept as an instruction to learn, and
        as a preference of your version over the original. Below, say why, if you like; or tell the
        model how to write it (“shorter”, “in Chinese”), then change or save what it drafts."""
    AUTO_FOCUS = "Version"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="correct.save"),
        Binding("ctrl+l", "clear", "Empty it", id="correct.clear"),
        Binding("escape", "leave", "Leave", id="app.back"),
        Binding("f1", "app.help", "Help", show=False, id="app.help"),
    ]

    def __init__(self, reply: ReplyView, save: Save, drafting: CorrectionDraft) -> None:
        super().__init__()
        self._reply = reply
        self._save = save
        self._drafting = drafting
        self._first = ""
        self._why = one_line(harmless(reply.why))
        self._mine = ""
        """The version while a draft is being written over it."""
        self._drafted = ("", "")
        """The draft as it came, and what is said of it until it is changed."""
        self._sure = False

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
                    yield Original(markup=False)
                version = Version(self._reply.shown)
                version.border_title = _("your version")
                yield version
            yield Field(_("Why"), self._why, _("what is better now, if you like"), id="why")
            yield Field(_("Let it draft"), "", _("shorter · in Chinese · as a list …"), id="draft")
            yield Static(keyed(self, _(_KEYS)), classes="dialog-keys", markup=False)

    @property
    def _version(self) -> Version:
        return self.query_one(Version)

    def on_mount(self) -> None:
        self._first = self._version.text  # an editor has line ends of its own
        self._compare()

    def on_unmount(self) -> None:
        self._drafting.stop()

    @on(TextArea.Changed)
    def _edited(self) -> None:
        self._compare()
        if not self._drafting.writing:
            draft, said = self._drafted
            self._say(said if said and self._version.text == draft else _(_KEYS), sure=False)

    def _compare(self) -> None:
        """Mark the words that only one side has."""
        original, version = self._reply.text, self._version.text
        if len(original) + len(version) <= _COMPARED:
            before, after = changes(original, version)
        else:
            before, after = (Span(original, False),), ()
        self.query_one(Original).mark(before)
        self._version.mark(after)

    # -- drafting --------------------------------------------------------------------------------

    def asked(self, request_id: str) -> bool:
        """Whether this screen waits for that reply."""
        return self._drafting.asked(request_id)

    @on(Input.Submitted, "#draft Input")
    @guarded
    def _draft(self, event: Input.Submitted) -> None:
        event.stop()
        version = self._version
        if not self._drafting.writing:
            self._mine = version.text
        self._drafting.ask(self._mine, event.value)
        version.read_only = True
        self._say(_(_WAITS), sure=False)

    @on(Input.Submitted, "#why Input")
    async def _said_why(self, event: Input.Submitted) -> None:
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
        """Put the draft, if there is one, over the person's version as one edit."""
        version = self._version
        version.read_only = False
        version.load_text(self._mine)
        same = bool(draft) and draft == self._mine.strip()
        if draft and not same:
            version.replace(draft, version.document.start, version.document.end)
            version.focus()
        self._drafted = (version.text, _(_SAME) if same else _(_DRAFTED) if draft else "")
        self._edited()

    # -- leaving ---------------------------------------------------------------------------------

    def action_clear(self) -> None:
        """Begin with nothing; Ctrl+Z brings it back."""
        version = self._version
        if not version.read_only:
            version.replace("", version.document.start, version.document.end)
            version.focus()

    async def action_save(self) -> None:
        """Keep it."""
        if not self._drafting.writing:
            await self._save(self._version.text, self.query_one("#why", Field).value)
            self.dismiss()

    def action_leave(self) -> None:
        """Stop the draft; else leave, after asking where something would be lost."""
        if self._drafting.writing:
            self._drafting.stop()
            self._take("")
            return
        why = self.query_one("#why", Field).value
        if self._sure or (self._version.text, why) == (self._first, self._why):
            self.dismiss()
        else:
            self._say(_(_SURE), sure=True)

    def _say(self, text: str, *, sure: bool) -> None:
        self._sure = sure
        keys = self.query_one(".dialog-keys", Static)
        keys.update(keyed(self, text))
        keys.set_class(sure or text == _(_WAITS), "waiting")
