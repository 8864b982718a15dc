"""The chat: where talking and teaching happen.

It hands what the person does to the controllers and draws the changes they give back.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer

from core.events import ModelReady, ReplyDone, ReplyFailed, TokenChunk
from store.errors import TuteeError
from tui.guard import errors_shown, guarded, show_error
from tui.messages import FromCore, Taught
from tui.screens.conversations import ConversationsScreen
from tui.screens.correct import CorrectScreen
from tui.screens.reasons import Reasons, ReasonsScreen
from tui.session import Session
from tui.teaching import Teaching
from tui.views import Asked, Began, Change, Ended, Grew, Queued, ReplyView, Status
from tui.widgets.activity import Activity
from tui.widgets.prompt import Prompt, PromptBar
from tui.widgets.status import StatusBar
from tui.widgets.transcript import Transcript
from tui.widgets.turns import ReplyTurn


class ChatScreen(Screen[None]):
    """One chat, open."""

    TITLE = "Chat"
    HELP = """Enter sends, and several messages may wait in a row; a pasted text is never sent by
        itself. ↑ and ↓ bring back what you sent. Esc stops a reply and keeps what it has so far;
        else it goes to the last reply and back. What you say of a reply with F2, F3 or F4 becomes a
        record; F5 trains the model on them. Ctrl+P has everything by name."""
    PARTS = (Prompt, ReplyTurn)
    AUTO_FOCUS = "#prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "app.help", "Help", key_display="F1", id="app.help"),
        Binding("f2", "like", "👍", key_display="F2", id="chat.like"),
        Binding("f3", "dislike", "👎", key_display="F3", id="chat.dislike"),
        Binding("f4", "correct", "Correct", key_display="F4", id="chat.correct"),
        Binding("f5", "app.tune", "Tune", key_display="F5", id="app.tune"),
        Binding("f6", "app.compare", "Compare", key_display="F6", id="app.compare"),
        Binding("f7", "app.records", "Records", key_display="F7", id="app.records"),
        Binding("f8", "app.export", "Export", key_display="F8", id="app.export"),
        Binding("f9", "app.settings", "Settings", show=False, id="app.settings"),
        Binding("ctrl+n", "new_chat", "New", show=False, id="chat.new"),
        Binding("ctrl+r", "chats", "Open", show=False, id="chat.open"),
        Binding("ctrl+l", "app.best_of", "Best of four", show=False, id="app.best_of"),
        Binding("ctrl+o", "app.models", "Models", show=False, id="app.models"),
        Binding("ctrl+t", "app.starter", "Starter set", show=False, id="app.starter"),
        Binding("escape", "escape", "Stop, or to the replies", show=False, id="chat.escape"),
    ]

    status: reactive[Status] = reactive(Status())
    """Who answers and what was taught."""
    activity: reactive[Content | None] = reactive(None)
    """What runs in the background."""

    def __init__(self, session: Session, teaching: Teaching) -> None:
        super().__init__()
        self._session = session
        self._teaching = teaching

    def compose(self) -> ComposeResult:
        yield StatusBar(id="status").data_bind(ChatScreen.status)
        yield Transcript()
        yield PromptBar(id="prompt-bar")
        yield Activity(id="activity").data_bind(line=ChatScreen.activity)
        yield Footer(compact=True, show_command_palette=True)

    @property
    def _transcript(self) -> Transcript:
        return self.query_one(Transcript)

    async def on_mount(self) -> None:
        await self.renew()

    # -- talking ---------------------------------------------------------------------------------

    @on(Prompt.Sent)
    @guarded
    async def _send(self, event: Prompt.Sent) -> None:
        await self._apply_or_reload(partial(self._session.send, event.text))

    @on(FromCore)
    @guarded
    async def _from_core(self, message: FromCore) -> None:
        match message.event:
            case ModelReady() as event:
                await self._apply_or_reload(partial(self._session.model_ready, event))
            case TokenChunk() | ReplyDone() as event:
                await self._apply_or_reload(partial(self._session.on_reply, event))
            case ReplyFailed() as event:
                show_error(self.app, event.error)
                await self._apply_or_reload(partial(self._session.on_reply, event))

    async def _apply_or_reload(self, act: Callable[[], Sequence[Change]]) -> None:
        """Draw what `act` changed; where it failed half-way, draw the chat anew."""
        try:
            changes = act()
        except TuteeError:
            await self.renew()
            raise
        for change in changes:
            await self._draw(change)
        self._hint()

    async def _draw(self, change: Change) -> None:
        transcript = self._transcript
        match change:
            case Asked(turn):
                await transcript.ask(turn)
            case Queued(texts):
                await transcript.queue(texts)
            case Began(live):
                await transcript.begin(live)
            case Grew(live_id, text):
                await transcript.grow(live_id, text)
            case Ended(live_id, reply):
                await transcript.end(live_id, reply)
                self.refresh_bindings()

    async def renew(self) -> None:
        """Draw the chat anew."""
        await self._transcript.show(self._session.scene())
        self._hint()
        self.refresh_bindings()

    def _hint(self) -> None:
        """Say beside the prompt what Enter or Esc does now."""
        focused = self._transcript.focused_reply()
        if focused is not None:
            undoable = focused.view is not None and focused.view.undoable
            hint = "Ctrl+Z undo · Esc back" if undoable else "Esc back"
        elif self._session.replying:
            hint = "Esc stops"
        else:
            hint = "Enter sends"
        self.query_one(PromptBar).hint = hint

    # -- moving about ----------------------------------------------------------------------------

    async def action_escape(self) -> None:
        """Stop the reply under way; else go from the prompt to the last reply and back."""
        if self._session.replying:
            await self._apply_or_reload(self._session.stop)
        elif self._transcript.focused_reply() is not None or not self._transcript.step(0):
            self._focus_prompt()

    def action_step(self, step: int) -> None:
        if not self._transcript.step(step):
            self._focus_prompt()

    def action_page(self, pages: int) -> None:
        transcript = self._transcript
        if pages < 0:
            transcript.scroll_page_up(animate=False)
        else:
            transcript.scroll_page_down(animate=False)

    def _focus_prompt(self) -> None:
        self.query_one(Prompt).focus()

    def on_descendant_focus(self) -> None:
        self._hint()
        self.refresh_bindings()

    async def action_new_chat(self) -> None:
        self._session.new()
        await self.renew()
        self._focus_prompt()

    def action_chats(self) -> None:
        self.app.push_screen(ConversationsScreen(self._session.conversations()), self._open_chat)

    async def _open_chat(self, conversation_id: str | None) -> None:
        if conversation_id is None:
            return
        with errors_shown(self.app):
            self._session.open(conversation_id)
            await self.renew()
            self._focus_prompt()

    # -- teaching --------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey the keys out that have no reply to work on."""
        if action in ("like", "dislike", "correct"):
            return True if self.is_mounted and self._transcript.target() else None
        if action == "undo":
            target = self._transcript.target()
            return True if target and target.undoable else None
        return True

    def _target(self) -> ReplyView:
        target = self._transcript.target()
        if target is None:
            raise TuteeError("There is no whole reply to judge yet.", "Ask something first.")
        return target

    async def action_like(self) -> None:
        await self._taught(self._teaching.like(self._target().id))

    async def action_dislike(self) -> None:
        reply = self._teaching.dislike(self._target().id)
        await self._taught(reply)

        async def explain(reasons: Reasons | None) -> None:
            if reasons is None:
                return
            with errors_shown(self.app):
                view = self._teaching.explain(reply.id, reasons.chosen, reasons.comment)
                await self._taught(view)

        self.app.push_screen(ReasonsScreen(reply), explain)

    def action_correct(self) -> None:
        reply = self._target()

        async def correct(text: str, why: str) -> None:
            await self._taught(self._teaching.correct(reply.id, text, why))
            self.notify("Kept as 1 instruction and 1 preference.", markup=False, timeout=3)

        self.app.push_screen(CorrectScreen(reply, correct, self._teaching.drafting(reply.id)))

    async def action_undo(self) -> None:
        await self._taught(self._teaching.undo(self._target().id))

    async def _taught(self, reply: ReplyView) -> None:
        await self._transcript.change(reply)
        self._hint()
        self.refresh_bindings()
        self.post_message(Taught())
