"""The chat: where talking and teaching happen.

It hands what the person does to the controllers and draws the changes they give back. What is done
with a reply is in `tui.screens.reply_actions`, what is done with whole chats in
`tui.screens.chat_actions`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import TextArea

from core.events import ModelReady, ReplyDone, ReplyFailed, ReplyScored, TokenChunk
from store.errors import TuteeError
from store.i18n import _
from tui.commands.attachments import with_files, without_files
from tui.commands.completion import Completions, completions
from tui.commands.keymap import keyed
from tui.commands.registry import CHAT_COMMANDS, perform, possible, spelled
from tui.error_toasts import errors_shown, guarded, show_error
from tui.messages import Answered, FromCore
from tui.screens.chat_actions import ChatActions
from tui.screens.opening import KEYS
from tui.views.chat import Asked, Began, Change, Ended, Grew, Queued, Rerouted, UserView
from tui.widgets.activity import Activity
from tui.widgets.guide import Guide
from tui.widgets.key_bar import KeyBar
from tui.widgets.prompt import Prompt, PromptBar
from tui.widgets.status import Status, StatusBar
from tui.widgets.transcript import Transcript
from tui.widgets.turns import ReplyTurn


class ChatScreen(ChatActions):
    """One chat, open."""

    TITLE = "Chat"
    HELP = """Enter sends, and several messages may wait in a row; a pasted text is never sent by
        itself. ↑ and ↓ bring back what you sent. A / offers commands, an @ text files that go
        along. Esc stops a reply and keeps what it has so far; else it goes to the last reply and
        back. What you say of a reply becomes a record; F5 trains the model on them. Ctrl+P has
        everything by name."""
    PARTS = (Prompt, ReplyTurn)
    OWN_COMMANDS = CHAT_COMMANDS
    AUTO_FOCUS = "#prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        *KEYS,
        Binding("f9", "app.settings", "Settings", show=False, id="app.settings"),
        Binding("ctrl+n", "new_chat", "New", show=False, id="chat.new"),
        Binding("ctrl+r", "chats", "Open", show=False, id="chat.open"),
        Binding("ctrl+l", "app.best_of", "Best of four", show=False, id="app.best_of"),
        Binding("ctrl+o", "app.models", "Models", show=False, id="app.models"),
        Binding("ctrl+t", "app.starter", "Starter set", show=False, id="app.starter"),
        Binding("escape", "escape", "Stop, or to the replies", show=False, id="chat.escape"),
        Binding("ctrl+up", "step(0)", "To the replies", show=False, id="chat.to_replies"),
    ]

    status: reactive[Status] = reactive(Status())
    """Who answers and what was taught."""
    called: reactive[str] = reactive("")
    """The title of the chat."""
    guide: reactive[str] = reactive("")
    """What to do next, to who does it for the first time."""
    activity: reactive[Content | None] = reactive(None)
    """What runs in the background."""
    _writing = False
    """Something stands in the prompt."""

    def compose(self) -> ComposeResult:
        yield StatusBar(id="status").data_bind(ChatScreen.status, chat=ChatScreen.called)
        yield Transcript()
        yield Guide(id="guide").data_bind(line=ChatScreen.guide)
        yield PromptBar(self._meant)
        yield Activity(id="activity").data_bind(line=ChatScreen.activity)
        yield KeyBar(compact=True, show_command_palette=True)

    @property
    def _bar(self) -> PromptBar:
        return self.query_one(PromptBar)

    async def on_mount(self) -> None:
        with errors_shown(self.app):
            earlier = map(without_files, self._session.remembered())
            self._bar.prompt.remember(list(earlier))
        await self.renew()

    # -- talking ---------------------------------------------------------------------------------

    @property
    def written(self) -> str:
        """What stands in the prompt."""
        return self._bar.prompt.text

    def take_over(self, sent: Sequence[str], written: str) -> None:
        """Go on with what the person did on the screen before."""
        for text in sent:
            self._bar.prompt.say(text)
        self._bar.prompt.put(written)

    @on(Prompt.Sent)
    @guarded
    async def _sent(self, event: Prompt.Sent) -> None:
        editing, text = self._bar.editing, event.text
        try:
            command = None if editing else spelled(text)
            if command is not None:
                await perform(*command, self)
                return
            earlier = self._session.text_of(editing) if editing else ""
            whole = with_files(_unescaped(text), Path.cwd(), earlier)
            self._session.check(whole)
        except TuteeError:
            if not self._bar.prompt.text:
                self._bar.prompt.put(text)
            raise
        self._bar.done()
        await self.apply(partial(self._session.send, whole, editing or None))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "take_back":
            return bool(self._session.queued().texts) or None
        return super().check_action(action, parameters)

    @on(TextArea.Changed, "#prompt")
    @guarded
    def _begin_to_write(self, event: TextArea.Changed) -> None:
        before, self._writing = self._writing, bool(event.text_area.text)
        if self._writing and not before:
            self._session.read_ahead()

    def _meant(self, text: str, before: str) -> Completions:
        return completions(text, before, possible(self), Path.cwd(), self.arguments)

    @on(Prompt.Recalled)
    @guarded
    async def _recalled(self, _: Prompt.Recalled) -> None:
        await self.action_take_back()

    async def action_take_back(self) -> None:
        """Take the message that waits back into the prompt."""
        said = self._session.take_back()
        if said is None:
            raise TuteeError(_("Nothing waits."))
        await self.apply(lambda: [self._session.queued()])
        if said.beside:
            self._bar.edit(said.beside, without_files(said.text))
        else:
            self._bar.prompt.put(without_files(said.text))

    def action_editor(self) -> None:
        """Go on writing in the person's own editor, from wherever the focus is."""
        self._bar.prompt.action_editor()

    def edit(self, question: UserView) -> None:
        self._bar.edit(question.id, without_files(question.text))
        self._hint()

    @on(FromCore)
    @guarded
    async def _from_core(self, message: FromCore) -> None:
        match message.event:
            case ModelReady() as event:
                await self.apply(partial(self._session.model_ready, event))
            case TokenChunk() as event:
                await self.apply(partial(self._session.on_reply, event))
            case ReplyDone() as event:
                await self.apply(partial(self._session.on_reply, event))
                self.post_message(Answered())
            case ReplyScored(message_id, reward):
                self.transcript.score(message_id, reward)
            case ReplyFailed() as event:
                show_error(self.app, event.error)
                await self.apply(partial(self._session.on_reply, event))

    async def apply(self, act: Callable[[], Sequence[Change]]) -> None:
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
        transcript = self.transcript
        match change:
            case Asked(turn):
                await transcript.ask(turn)
            case Queued(texts):
                await transcript.queue(texts)
                self._bar.prompt.waiting = bool(texts)
            case Began(live):
                await transcript.begin(live)
            case Grew(live_id, text):
                await transcript.grow(live_id, text)
            case Ended(live_id, reply):
                await transcript.end(live_id, reply)
                self.refresh_bindings()
            case Rerouted(scene, message_id):
                await transcript.show(scene, message_id)
                self._bar.prompt.waiting = bool(scene.queued)
                self.refresh_bindings()

    async def renew(self) -> None:
        """Draw the chat anew."""
        scene = self._session.scene()
        await self.transcript.show(scene)
        self._bar.prompt.waiting = bool(scene.queued)
        self.changed()

    def changed(self) -> None:
        self._hint()
        self.refresh_bindings()

    def _hint(self) -> None:
        """Say beside the prompt what Enter or Esc does now, and above what the chat is called."""
        self._bar.hint = self._now()
        open_ = self._session.conversation
        self.called = open_.title if open_ else ""

    def _now(self) -> str:
        focused = self.transcript.focused_reply()
        if focused is not None and focused.view is not None:
            view = focused.view
            parts = [_("G goes on")] if view.stopped or view.limit else []
            parts += [keyed(self, _("Ctrl+Z undo"))] if view.undoable else []
            return " · ".join([*parts, _("Esc back")])
        if self._session.replying:
            waits = self._bar.prompt.waiting
            return _("Esc stops · ↑ takes back") if waits else _("Esc stops")
        return _("Enter sends")

    # -- moving about ----------------------------------------------------------------------------

    async def action_escape(self) -> None:
        """Leave the message that is written anew; else stop the reply under way; else go from the
        prompt to the last reply and back."""
        if self._bar.editing:
            self._bar.done()
        elif self._session.replying:
            await self.action_stop()
        elif self.transcript.focused_reply() or not await self.transcript.step(0):
            self.focus_prompt()
        self._hint()

    async def action_stop(self) -> None:
        await self.apply(self._session.stop)

    async def action_step(self, step: int) -> None:
        if not await self.transcript.step(step):
            self.focus_prompt()

    async def action_page(self, pages: int) -> None:
        await self.transcript.page(pages)

    def focus_prompt(self) -> None:
        self.set_focus(self._bar.prompt)

    def on_descendant_focus(self) -> None:
        self.changed()


def _unescaped(text: str) -> str:
    """A message that began with `//` because it is to begin with a slash."""
    return text[1:] if text.startswith("//") else text
