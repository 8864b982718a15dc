"""The chat screen: sends what the user writes, and draws the changes that the session returns.

Its actions live in two collaborators: `tui.screens.reply_actions` for one reply,
`tui.screens.chat_actions` for whole conversations.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Spacing
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Static, TextArea
from textual.widgets._toast import ToastRack
from textual.worker import Worker

from core.events import (
    ModelReady,
    ReplyDone,
    ReplyFailed,
    ReplyScored,
    ThoughtChunk,
    TokenChunk,
)
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage
from tui.commands.attachments import attached_size, with_files, without_files
from tui.commands.completion import Completions, completions
from tui.commands.keymap import keyed
from tui.commands.registry import CHAT_COMMANDS, perform, possible, spelled
from tui.controllers.chat_session import ChatSession
from tui.controllers.drafts import CorrectionDraft
from tui.controllers.feedback import ReplyFeedback
from tui.controllers.prompt_library import VARIABLE
from tui.error_toasts import errors_shown, guarded, show_error
from tui.messages import Answered, FromCore, Taught
from tui.screens.chat_actions import ChatActions
from tui.screens.opening import KEYS, PANELS
from tui.screens.reply_actions import ReplyActions
from tui.services import Services
from tui.views.chat import (
    BranchChanged,
    Change,
    FeedbackStored,
    MessageAdded,
    QueueChanged,
    ReplyBegan,
    ReplyEnded,
    ReplyGrew,
    ThoughtGrew,
)
from tui.views.side_panel import lessons, recalled
from tui.widgets.activity import Activity
from tui.widgets.chat_list import ChatList
from tui.widgets.find_bar import FindBar
from tui.widgets.guide import Guide
from tui.widgets.key_bar import KeyBar
from tui.widgets.markdown import Code
from tui.widgets.messages import ReplyMessage
from tui.widgets.prompt import Prompt, PromptBar
from tui.widgets.side_panel import SidePanel
from tui.widgets.status import Status, StatusBar
from tui.widgets.transcript import Transcript

_COUNTED_AT_ONCE = 20_000
"""Characters of a conversation whose tokens are counted without a thread."""
_BYTES_PER_TOKEN = 4
"""Of text in any language, roughly: an estimate before sending, without the model's tokenizer."""


class ChatScreen(Screen[None]):
    """The open conversation with its prompt."""

    TITLE = "Chat"
    HELP = """Enter sends; you can queue several messages. Pasted text is not sent until you press
        Enter. ↑ and ↓ recall what you sent. Type / for commands, @ to attach text files. Esc stops
        a reply and keeps its text; otherwise it moves between the prompt and the last reply, where
        a digit copies the code block of that number.
        Feedback on replies becomes records; {key:app.tune} trains the model on them.
        {key:app.menu} lists everything by name."""
    PARTS = (Prompt, ReplyMessage, ChatList)
    OWN_COMMANDS = CHAT_COMMANDS
    AUTO_FOCUS = "#prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        *KEYS,
        Binding("f9", "app.settings", "Settings", show=False, id="app.settings"),
        Binding("ctrl+n", "new_chat", "New", show=False, id="chat.new"),
        Binding("ctrl+r", "chats", "Open", show=False, id="chat.open"),
        Binding("ctrl+b", "beside", "To the list of chats", show=False, id="chat.beside"),
        Binding("ctrl+l", "app.best_of", "Best of four", show=False, id="app.best_of"),
        Binding("ctrl+o", "app.models", "Models", show=False, id="app.models"),
        Binding("ctrl+f", "find", "Find in this chat", show=False, id="chat.find"),
        Binding("ctrl+s", "adopt", "Use as correction", show=False, id="chat.adopt"),
        Binding("ctrl+t", "app.starter", "Starter set", show=False, id="app.starter"),
        Binding("escape", "escape", "Stop, or to the replies", show=False, id="chat.escape"),
        # Of the prompt first: only an empty one leaves them to the screen.
        Binding("enter", "app.show_outcome", "Report", show=False, id="chat.report"),
        Binding("ctrl+u", "app.settle_outcome", "Undo", show=False, id="chat.settle"),
        Binding("ctrl+up", "step(0)", "To the replies", show=False, id="chat.to_replies"),
    ]

    status: reactive[Status] = reactive(Status())
    """The model, the adapter version and the feedback counts."""
    called: reactive[str] = reactive("")
    """The title of the open conversation."""
    context: reactive[tuple[int, int]] = reactive((0, 0))
    """Tokens of the open conversation, and of the model's context."""
    guide: reactive[str] = reactive("")
    """The next step for a new user."""
    activity: reactive[Content | None] = reactive(None)
    """The background job, in one line."""

    def __init__(self, session: ChatSession, services: Services) -> None:
        super().__init__()
        self._session = session
        self._transcript = Transcript()
        self._bar = PromptBar(self._completions)
        self._find = FindBar()
        self._hits: list[str] = []
        """Ids of the messages that were found, the newest first."""
        self._hit = 0
        feedback = ReplyFeedback(services.repository, partial(CorrectionDraft, services))
        self._reply = ReplyActions(self._transcript, session, feedback, self.apply)
        self._chat = ChatActions(self, session, services, self._show_conversation, self.changed)
        self._toasts_at = (0, 0)
        """Rows below the toasts, and the column at which they end."""
        self._counted: tuple[ChatMessage, ...] | None = None
        """The conversation whose use of the context is shown."""
        self._attaching = False
        """The prompt held a mention of a file when it was last looked at."""
        self._writing = False
        """The prompt holds text."""

    def compose(self) -> ComposeResult:
        yield StatusBar(id="status").data_bind(
            ChatScreen.status, ChatScreen.context, chat=ChatScreen.called
        )
        with Horizontal(id="columns"):
            with Vertical(id="chats-beside"):
                title = keyed(self, _("Chats · {key:chat.beside}"))
                yield Static(title, markup=False)
                yield ChatList()
            with Vertical(id="talk"):
                yield self._transcript
                yield self._find
                yield Guide(id="guide").data_bind(line=ChatScreen.guide)
                yield self._bar
                yield Activity(id="activity").data_bind(line=ChatScreen.activity)
            yield SidePanel(id="side").data_bind(ChatScreen.status, line=ChatScreen.activity)
        yield KeyBar(compact=True, show_command_palette=True)

    async def on_mount(self) -> None:
        self.screen_layout_refresh_signal.subscribe(self, self._place_toasts, immediate=True)
        with errors_shown(self.app):
            self._bar.prompt.remember([*map(without_files, self._session.history())])
        with errors_shown(self.app):
            await self.renew()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Gray out the keys that have nothing to act on."""
        return self.obstacle(action) is None or None

    def obstacle(self, action: str) -> TuteeError | None:
        """Why a key or command has nothing to act on; None if it has."""
        if action == "take_back" and not self._session.queued().texts:
            return TuteeError(_("No message is waiting."))
        return self._reply.obstacle(action) or self._chat.obstacle(action)

    # -- writing and sending ---------------------------------------------------------------------

    @property
    def written(self) -> str:
        return self._bar.prompt.whole

    def take_over(self, sent: Sequence[str], written: str) -> None:
        """Take over what the user sent and wrote on the previous screen."""
        for text in sent:
            self._bar.prompt.say(text)
        self._bar.prompt.put(written)

    @on(Prompt.Sent)
    @guarded
    async def _sent(self, event: Prompt.Sent) -> None:
        editing, text = self._bar.editing, event.text
        command = None
        try:
            command = None if editing else spelled(text)
            if command is not None:
                await perform(*command, self)
                return
            earlier = self._session.conversation.message(editing).content if editing else ""
            whole = with_files(_unescaped(text), Path.cwd(), earlier)
            self._session.check(whole)
        except TuteeError:
            # A bare command is recalled with ↑; left in the prompt, the next one would be appended.
            if not self._bar.prompt.text and (command is None or command[1]):
                self._bar.prompt.put(text)
                if text.startswith("/"):
                    self._bar.prompt.select_all()  # typing replaces it
            raise
        self._bar.done()
        await self.apply(partial(self._session.send, whole, editing or None))

    @on(TextArea.Changed, "#prompt")
    @guarded
    def _prefill(self, event: TextArea.Changed) -> None:
        """Prefill the conversation with the first character of a message."""
        before, self._writing = self._writing, bool(event.text_area.text)
        if self._writing and not before:
            self._session.prefill()
        if "@" in event.text_area.text or self._attaching:
            self._attaching = "@" in event.text_area.text
            self._hint()

    def _completions(self, text: str, before: str) -> Completions:
        return completions(text, before, possible(self), Path.cwd(), self._chat.arguments)

    async def action_take_back(self) -> None:
        """Move the last queued message back into the prompt."""
        queued = self._session.take_back()
        if queued is None:
            return
        await self.apply(lambda: [self._session.queued()])
        if queued.beside:
            self._bar.edit(queued.beside, without_files(queued.text))
        else:
            self._bar.prompt.put(without_files(queued.text))

    def action_editor(self) -> None:
        """Continue writing in the user's own editor, wherever the focus is."""
        self._bar.prompt.action_editor()

    # -- drawing changes -------------------------------------------------------------------------

    @on(FromCore)
    @guarded
    async def _from_core(self, message: FromCore) -> None:
        match message.event:
            case ModelReady() as event:
                self._counted = None
                await self.apply(partial(self._session.model_ready, event))
            case ThoughtChunk() | TokenChunk() | ReplyDone() | ReplyFailed() as event:
                if isinstance(event, ReplyFailed):
                    show_error(self.app, event.error)
                await self.apply(partial(self._session.on_reply, event))
                if isinstance(event, ReplyDone):
                    self.post_message(Answered())
            case ReplyScored(message_id, reward):
                self._transcript.score(message_id, reward)

    async def apply(self, act: Callable[[], Sequence[Change]]) -> None:
        """Draw what `act` changes; if it fails half-way, redraw the conversation."""
        try:
            changes = act()
        except TuteeError:
            await self.renew()
            raise
        for change in changes:
            await self._draw(change)
        self._hint()
        if not all(isinstance(change, ReplyGrew | ThoughtGrew) for change in changes or (None,)):
            self._show_around()

    async def _draw(self, change: Change) -> None:
        match change:
            case MessageAdded(message):
                await self._transcript.add(message)
            case QueueChanged(texts):
                await self._transcript.queue(texts)
                self._bar.prompt.waiting = bool(texts)
            case ReplyBegan(live):
                await self._transcript.begin(live)
            case ThoughtGrew(live_id, text):
                self._transcript.think(live_id, text)
            case ReplyGrew(live_id, text):
                await self._transcript.grow(live_id, text)
            case ReplyEnded(live_id, reply):
                await self._transcript.end(live_id, reply)
                self.refresh_bindings()
            case FeedbackStored() as stored:
                if stored.error is not None:
                    show_error(self.app, stored.error)
                self.post_message(Taught())
                undisturbed = self.is_current and not self.written
                await self._reply.stored(stored, undisturbed=undisturbed)
            case BranchChanged(view, message_id):
                await self._transcript.show(view, message_id)
                self._bar.prompt.waiting = bool(view.queued)
                self.refresh_bindings()

    async def renew(self) -> None:
        view = self._session.view()
        await self._transcript.show(view)
        self._bar.prompt.waiting = bool(view.queued)
        self.changed()

    async def _show_conversation(self) -> None:
        self._find.end()
        self._hits = []
        await self.renew()
        self.focus_prompt()

    @on(Taught)
    def changed(self) -> None:
        """Update the hint, the title, what stands around the conversation, and the keys."""
        self._hint()
        self._show_around()
        self.refresh_bindings()

    def _hint(self) -> None:
        self._bar.hint = self._now()
        stored = self._session.conversation.stored
        self.called = stored.title if stored else ""

    def _show_around(self) -> None:
        """Show what stands around the conversation; not for every piece of a reply."""
        self._show_panels()
        self._count_context()

    def _show_panels(self) -> None:
        """Show what stands beside the chat, where there is room for it."""
        if self.has_class("-panels"):
            with errors_shown(self.app):
                rows, open_id = self._chat.rows(), self._session.conversation.id
                self.query_one(ChatList).show(rows, open_id)
            side, messages = self.query_one(SidePanel), self._transcript.messages
            side.lessons, side.recalled = lessons(messages), recalled(messages)

    def _count_context(self) -> None:
        """Show how much of the context is in use; counting a long conversation takes a while."""
        messages = self._session.context_messages()
        if messages == self._counted:
            return
        self._counted = messages
        if sum(len(message.content) for message in messages) < _COUNTED_AT_ONCE:
            self.context = self._session.context_use(messages)
            return

        async def count() -> None:
            self.context = await asyncio.to_thread(self._session.context_use, messages)

        _counting: Worker[None] = self.run_worker(count, group="context", exclusive=True)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= PANELS, "-panels")
        self._show_panels()

    def _place_toasts(self, _: Screen[None]) -> None:
        """Keep the toasts right above the prompt, and the guide and the search where shown."""
        bar = self._bar.region
        rows = [part.region.y for part in (self._find, self.query_one(Guide)) if part.display]
        place = self.size.height - min([bar.y, *rows]), bar.right
        if not bar or place == self._toasts_at:
            return
        self._toasts_at = place
        for rack in self.query(ToastRack):  # none where toasts are turned off
            rack.styles.margin, rack.styles.width = Spacing(0, 0, place[0], 0), place[1]

    def _now(self) -> str:
        """What Enter or Esc does now."""
        focused = self._transcript.focused_reply()
        if focused is not None and focused.view is not None:
            view = focused.view
            parts = [_("G continues")] if view.stopped or view.limit else []
            parts += [keyed(self, _("{key:reply.recalled} corrections"))] if view.recalled else []
            parts += [keyed(self, _("{key:reply.undo} undo"))] if view.undoable else []
            return " · ".join([*parts, _("Esc back")])
        if "@" in self.written and (attached := _attached(self.written)):
            return attached
        if self._session.replying:
            return _("Esc stops · ↑ takes back") if self._bar.prompt.waiting else _("Esc stops")
        return _("Enter sends")

    # -- finding in the open chat ----------------------------------------------------------------

    def action_find(self, text: str = "") -> None:
        """Find text in the open chat, the newest hit first."""
        self._find.begin(text)

    @on(FindBar.Wanted)
    @guarded
    async def _found(self, event: FindBar.Wanted) -> None:
        self._hits, self._hit = self._session.conversation.find(event.text), 0
        await self._show_hit()

    async def action_find_step(self, step: int) -> None:
        """Go to an older or a newer hit, from the last one to the first."""
        if self._hits:
            self._hit = (self._hit + step) % len(self._hits)
        await self._show_hit()

    async def _show_hit(self) -> None:
        self._find.count(self._hit + 1, len(self._hits))
        await self._transcript.reveal(self._hits[self._hit] if self._hits else "")

    async def action_find_end(self) -> None:
        """Close the search, and leave the hit in view."""
        self._find.end()
        self._hits = []
        await self._transcript.reveal("")
        self.focus_prompt()

    async def action_find_everywhere(self) -> None:
        """Search all chats for the same text."""
        text = self._find.text
        await self.action_find_end()
        self._chat.browse(text)

    # -- moving the focus ------------------------------------------------------------------------

    async def action_escape(self) -> None:
        """Cancel editing, else close the search, else stop the reply, else move between the prompt
        and the last reply."""
        if self._bar.editing:
            self._bar.done()
        elif self._find.display:
            await self.action_find_end()
        elif isinstance(self.focused, ChatList):
            self.focus_prompt()
        elif self._session.replying:
            await self.action_stop()
        elif self._transcript.focused_reply() or not await self._transcript.step(0):
            self.focus_prompt()
        self._hint()

    def action_beside(self) -> None:
        """Move to the list of chats; where there is no room for one, open the dialog."""
        if self.has_class("-panels"):
            self.set_focus(self.query_one(ChatList))
        else:
            self._chat.browse()

    @on(ChatList.Chosen)
    @guarded
    async def _chat_chosen(self, event: ChatList.Chosen) -> None:
        await self._chat.open(event.conversation_id)

    @on(Code.Copied)
    def _code_clicked(self, event: Code.Copied) -> None:
        self._reply.copy_text(event.code)

    async def action_stop(self) -> None:
        await self.apply(self._session.stop)

    async def action_step(self, step: int) -> None:
        if not await self._transcript.step(step):
            self.focus_prompt()

    async def action_page(self, pages: int) -> None:
        await self._transcript.page(pages)

    def focus_prompt(self) -> None:
        self.set_focus(self._bar.prompt)

    def on_descendant_focus(self) -> None:
        self.changed()

    # -- actions on a reply ----------------------------------------------------------------------

    async def action_like(self) -> None:
        await self._reply.like()

    async def action_dislike(self, why: str = "") -> None:
        await self._reply.dislike(why)

    async def action_correct(self, text: str = "") -> None:
        await self._reply.correct(text)

    async def action_undo(self) -> None:
        await self._reply.undo()

    async def action_prefer(self) -> None:
        await self._reply.prefer()

    async def action_adopt(self) -> None:
        await self._reply.adopt()

    async def action_exclude(self) -> None:
        await self._reply.exclude()

    def action_tokens(self) -> None:
        self._reply.tokens()

    def action_copy(self, number: str = "") -> None:
        self._reply.copy(number)

    def action_copy_code(self) -> None:
        self._reply.copy_code()

    async def action_regenerate(self) -> None:
        await self.apply(partial(self._session.regenerate, self._reply.focused_id()))

    async def action_go_on(self) -> None:
        await self.apply(partial(self._session.continue_reply, self._reply.target().id))

    async def action_choose(self, step: int) -> None:
        """Switch to another reply to the same message, or else to another version of that."""
        reply = self._reply.target()
        message_id = reply.id if reply.places > 1 else reply.question_id
        await self.apply(partial(self._session.choose, message_id, step))

    async def action_choose_question(self, step: int) -> None:
        await self.apply(partial(self._session.choose, self._reply.target().question_id, step))

    def action_edit(self) -> None:
        question = self._session.conversation.question_of(self._reply.focused_id())
        self._bar.edit(question.id, without_files(question.text))
        self._hint()

    # -- actions on conversations ----------------------------------------------------------------

    async def action_new_chat(self) -> None:
        await self._chat.new()

    def action_chats(self, words: str = "") -> None:
        self._chat.browse(words)

    def action_title(self, title: str = "") -> None:
        self._chat.rename(title)

    def action_pin(self) -> None:
        self._chat.pin()

    def action_save(self, place: str = "") -> None:
        self._chat.save(place)

    async def action_delete_chat(self) -> None:
        await self._chat.delete()

    def action_system(self, text: str = "") -> None:
        self._chat.set_system_prompt(text)

    def action_preset(self, name: str = "") -> None:
        self._chat.use_preset(name)

    def action_recall(self, switch: str = "") -> None:
        self._chat.set_recall(switch)

    def action_library(self, written: str = "") -> None:
        """Put one of the user's prompts into the prompt, its first open variable selected."""
        text = self._chat.prompt_named(written)
        self._bar.prompt.put(text)
        if open_variable := VARIABLE.search(text):
            self._bar.prompt.select_span(*open_variable.span())
        self.focus_prompt()

    def action_set(self, text: str = "") -> None:
        self._chat.set_sampling(text)

    def action_think(self, answer: str = "") -> None:
        self._chat.set_thinking(answer)


def _attached(text: str) -> str:
    """How much `text` attaches, roughly, before it is sent."""
    try:
        size = attached_size(text, Path.cwd())
    except TuteeError:
        return _("too large to attach")
    return (
        _("about {count:,} tokens attached").format(count=size // _BYTES_PER_TOKEN) if size else ""
    )


def _unescaped(text: str) -> str:
    """The message without the extra slash that keeps it from being a command."""
    return text[1:] if text.startswith("//") else text
