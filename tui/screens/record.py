"""One record in full, or the exact tokens that training makes of it."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from store.errors import TuteeError
from store.i18n import _
from store.records import Record, Verdict
from tui.background import aside, in_thread
from tui.controllers.records import RecordLibrary
from tui.error_toasts import errors_shown, show_error
from tui.messages import Taught
from tui.screens.correct import CorrectScreen
from tui.screens.edit_record import EditRecordScreen
from tui.screens.reasons import Reasons, ReasonsScreen
from tui.widgets.footer import Footer
from tui.widgets.record import RecordBody
from tui.widgets.title import title_line


class RecordScreen(Screen[int]):
    """Return the index of the record that was shown last.

    Args:
        records: The list the record was opened from; ← and → move through it.
        index: Its position there.
        findings: Problems the check found, by record id.
        tokens: Show the tokens first.
    """

    TITLE = "Record"
    HELP = """One record in full: the conversation, your feedback, its origin, and the versions that
        learned it. Bold tokens are the ones the model learns."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mask", "Tokens", key_display="M", id="record.tokens"),
        Binding("e", "edit", "Edit", key_display="E", id="record.edit"),
        Binding("escape,q", "leave", "Back", key_display="Esc", id="app.back"),
    ]

    def __init__(
        self,
        library: RecordLibrary,
        records: Sequence[Record],
        index: int,
        findings: Mapping[str, Sequence[str]],
        *,
        tokens: bool = False,
    ) -> None:
        super().__init__()
        self._library = library
        self._records = records
        self._index = index
        self._findings = findings
        self._tokens_shown = tokens
        self._replaced = False

    def compose(self) -> ComposeResult:
        yield Static(id="record-title")
        yield RecordBody(id="record")
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> None:
        """Draw the record or its tokens in a worker, replacing a drawing under way."""
        aside(self, self._draw_tokens if self._tokens_shown else self._draw, "draw")
        self.refresh_bindings()

    async def _draw(self) -> None:
        record = self._records[self._index]
        view = self._library.detail(record, self._findings.get(record.id, ()))
        place = _("{number:,} of {count:,}")
        place = place.format(number=self._index + 1, count=len(self._records))
        self._show_title(view.title, place)
        await self.query_one(RecordBody).show(view)

    async def _draw_tokens(self) -> None:
        record = self._records[self._index]
        self._show_title(_("Tokens"), _("loading the tokenizer…"))
        try:
            masks = await in_thread(lambda _: self._library.masks(record))
        except TuteeError as error:
            show_error(self.app, error)
            self._tokens_shown = False
            await self._draw()
            return
        self._show_title(_("Tokens"), _("in bold: what the model learns"))
        await self.query_one(RecordBody).show_mask(masks)

    def _show_title(self, title: str, detail: str) -> None:
        self.query_one("#record-title", Static).update(title_line(title, detail))

    def action_mask(self) -> None:
        self._tokens_shown = not self._tokens_shown
        self._show()

    def action_edit(self) -> None:
        """Change the feedback on the reply, or the record itself if it belongs to no reply."""
        record = self._records[self._index]
        if record.message_id is None:
            self.app.push_screen(EditRecordScreen(record, self._replace))
            return
        teaching = self._library.teaching
        reply = teaching.reply(record.message_id)
        if isinstance(record, Verdict) and not record.label:
            self.app.push_screen(ReasonsScreen(reply), self._explain)
        else:
            self.app.push_screen(CorrectScreen(reply, self._correct, teaching.draft_for(reply.id)))

    async def _correct(self, text: str, why: str) -> None:
        self._library.teaching.correct(self._reply_id(), text, why)
        self._changed()

    def _explain(self, reasons: Reasons | None) -> None:
        if reasons is not None:
            with errors_shown(self.app):
                self._library.teaching.explain(self._reply_id(), reasons.chosen, reasons.comment)
                self._changed()

    def _reply_id(self) -> str:
        return self._records[self._index].message_id or ""

    def _replace(self, texts: Mapping[str, str], comment: str) -> None:
        self._library.replace(self._records[self._index], texts, comment)
        self._changed()

    def _changed(self) -> None:
        """Another record replaced this one: return to the list once the editor closes."""
        self._library.changed = self._replaced = True
        self.post_message(Taught())

    def on_screen_resume(self) -> None:
        if self._replaced:
            self.action_leave()

    def action_step(self, step: int) -> None:
        self._index = min(max(self._index + step, 0), len(self._records) - 1)
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "step":
            (step,) = parameters
            return 0 <= self._index + int(str(step)) < len(self._records) or None
        return True

    def action_leave(self) -> None:
        self.dismiss(self._index)
