"""The chat without widgets: the message queue and the reply in progress.

A message is stored before its reply is requested. Replies are generated one at a time; messages
sent meanwhile wait in a queue, each bound to the conversation it was written in, so opening another
conversation neither stops nor mixes anything. Editing a message or regenerating a reply adds a
branch (`store.conversations`). Methods return the changes to the open conversation, which the
screen draws.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.config import Config
from core.events import ModelReady, ReplyDone, ReplyFailed, ThoughtChunk, TokenChunk
from data import starter
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Message, Record, new_id
from store.repository import Repository
from tui.controllers.feedback import message_view, reply_view
from tui.controllers.live_reply import LiveReply, PendingFeedback
from tui.controllers.open_conversation import ChatSettings, Exchange, OpenConversation
from tui.services import random_seed
from tui.views.chat import (
    BranchChanged,
    Change,
    ConversationView,
    FeedbackStored,
    MessageAdded,
    QueueChanged,
    ReplyBegan,
    ReplyEnded,
    ReplyGrew,
    ThoughtGrew,
    UserView,
)

if TYPE_CHECKING:
    from core.workers.chat import ChatWorker

_HISTORY = 200
"""Messages that the prompt can recall."""


@dataclass(frozen=True, eq=False)  # two messages may say the same
class QueuedMessage:
    """A message that is not stored yet."""

    conversation_id: str
    text: str
    beside: str | None = None
    """The earlier message that this one is an edited version of."""


class ChatSession:
    """Queues messages, requests and stores their replies; each keeps the settings it began with."""

    def __init__(
        self,
        repository: Repository,
        chat: "ChatWorker",
        config: Callable[[], Config],
        seed: Callable[[], int] = random_seed,
    ) -> None:
        self.conversation = OpenConversation(repository, config)
        self._repository = repository
        self._chat = chat
        self._config = config
        self._seed = seed
        self._model: ModelReady | None = None
        self._adapter: str | None = None
        self._queue: deque[QueuedMessage] = deque()
        self._live: LiveReply | None = None

    # -- sending ---------------------------------------------------------------------------------

    @property
    def replying(self) -> bool:
        """Whether a reply is being generated in the open conversation."""
        live = self._live_here()
        return live is not None and live.requested

    def history(self) -> list[str]:
        """The user's latest messages in any conversation, oldest first."""
        return self._repository.asked(_HISTORY)

    def check(self, text: str) -> None:
        """Check that `text` fits the model's context, before it is stored.

        Raises:
            TuteeError: it is too long.
        """
        messages = (*self.conversation.system_messages(), ChatMessage(role="user", content=text))
        self._chat.check(messages, self.conversation.sampling())

    def send(self, text: str, beside: str | None = None) -> list[Change]:
        """Send `text` in the open conversation, or queue it behind the reply in progress."""
        self._queue.append(QueuedMessage(self.conversation.start(), text, beside))
        return self._next() or [self.queued()]

    def take_back(self) -> QueuedMessage | None:
        """Remove and return the last queued message of the open conversation."""
        queued = self._queued_here()
        if not queued:
            return None
        self._queue.remove(queued[-1])
        return queued[-1]

    def queued(self) -> QueueChanged:
        return QueueChanged(tuple(message.text for message in self._queued_here()))

    def prefill(self) -> None:
        """Let the model prefill the open conversation while the user writes the next message."""
        if self._model is None or self._live is not None:
            return
        messages = self.context_messages()
        if messages and messages[-1].role != "user":
            records = self._recallable(self.conversation.id)
            self._chat.prefill(messages, self.conversation.sampling(), records)

    def stop(self) -> list[Change]:
        """Stop the reply in progress in the open conversation; its text so far is kept."""
        live = self._live_here()
        if live is None or not live.requested:
            return []
        live.stopping = True
        self._chat.stop_reply()
        return [ReplyBegan(live.view())]

    # -- feedback on the reply in progress -------------------------------------------------------

    @property
    def pending(self) -> PendingFeedback | None:
        """The feedback so far on the reply in progress in the open conversation; None without such
        a reply."""
        live = self._live_here()
        return None if live is None else live.feedback or PendingFeedback()

    def rate_live(self, feedback: PendingFeedback | None) -> list[Change]:
        """Store `feedback` on the reply in progress once it ends; None takes it back."""
        live = self._live_here()
        if live is None:
            return []
        live.feedback = feedback
        return [ReplyBegan(live.view())]

    # -- events ----------------------------------------------------------------------------------

    def model_ready(self, event: ModelReady) -> list[Change]:
        """Request the reply that was waiting for the model."""
        self._model, self._adapter = event, event.adapter
        live = self._live
        if live is None or live.requested:
            return []
        self._request(live)
        return [ReplyBegan(live.view())] if live is self._live_here() else []

    def adapter_changed(self, version: str) -> None:
        self._adapter = version

    def on_reply(self, event: ThoughtChunk | TokenChunk | ReplyDone | ReplyFailed) -> list[Change]:
        """Process an event of the reply in progress; events of other replies change nothing."""
        live = self._live
        if live is None or live.id != event.request_id:
            return []
        if isinstance(event, ThoughtChunk):
            live.thoughts += event.text
            return [ThoughtGrew(live.id, event.text)] if live is self._live_here() else []
        if isinstance(event, TokenChunk):
            live.text += event.text
            return [ReplyGrew(live.id, event.text)] if live is self._live_here() else []
        self._live = None
        reply = self._store(live, event if isinstance(event, ReplyDone) else None)
        rated = self._rate(live, reply)
        return [*self._ended(live, reply), *rated]

    def close(self) -> None:
        """Store the text of the reply in progress before the app ends."""
        live, self._live = self._live, None
        if live is not None:
            self._rate(live, self._store(live))

    # -- branches --------------------------------------------------------------------------------

    def regenerate(self, reply_id: str | None) -> list[Change]:
        """Generate another reply beside an existing one; without one, at the conversation's end.

        Raises:
            TuteeError: a reply is in progress, or nothing was asked yet.
        """
        message = self.conversation.message(reply_id)
        question_id = message.id if message.role == "user" else message.parent_id
        return self._reply_beside(message.conversation_id, question_id, None)

    def continue_reply(self, reply_id: str) -> list[Change]:
        """Generate a longer version of a reply from its end, beside the existing one.

        Raises:
            TuteeError: a reply is in progress.
        """
        message = self.conversation.message(reply_id)
        return self._reply_beside(message.conversation_id, message.parent_id, message)

    def _reply_beside(
        self, conversation_id: str, question_id: str | None, continued: Message | None
    ) -> list[Change]:
        if self._live is not None:
            raise _busy()
        if question_id is None:
            raise TuteeError(_("This reply answers no question, so it cannot be regenerated."))
        live = self._live = self._new_live(conversation_id, question_id)
        live.alternative = True
        if continued is not None:
            text = self._repository.feedback(continued.id).correction or continued.content
            # Models continue poorly after trailing whitespace; they write what they need.
            live.continued, live.start = continued, text.rstrip()
        if self._model is not None:
            self._request(live)
        return [BranchChanged(self.view())]

    def choose(self, message_id: str, step: int) -> list[Change]:
        """Switch to an earlier or later version of a message, with everything after it.

        Raises:
            TuteeError: a reply is in progress on the current branch.
        """
        conversation_id = self.conversation.message(message_id).conversation_id
        versions = self._repository.siblings(conversation_id)[message_id]
        place = versions.index(message_id) + step
        if not 0 <= place < len(versions):
            return []
        if self._live_here() is not None:
            raise _busy()
        self._repository.choose(versions[place])
        return [BranchChanged(self.view(), versions[place])]

    # -- the open conversation -------------------------------------------------------------------

    def view(self) -> ConversationView:
        open_id = self.conversation.id
        if open_id is None:
            counts = self._repository.counts()
            taught = counts.instructions + counts.preferences + counts.verdicts
            return ConversationView(examples=0 if taught else len(starter.instructions()))
        live = self._live_here()
        messages = self._repository.path(live.question_id) if live else self.conversation.messages()
        versions = self._repository.siblings(open_id)
        views = tuple(
            message_view(self._repository, message, versions)
            for message in messages
            if message.role != "system"
        )
        return ConversationView(views, live.view() if live else None, self.queued().texts)

    def override(self, settings: ChatSettings) -> None:
        """Override settings in the open conversation, from the next reply on.

        Raises:
            TuteeError: a reply is in progress.
        """
        if self._live_here() is not None:
            raise _busy()
        self._repository.set_chat(
            self.conversation.start(),
            system_prompt=settings.system_prompt,
            sampling=settings.sampling,
            recall=settings.recall,
        )

    def context_messages(self) -> tuple[ChatMessage, ...]:
        """The open conversation as the model would see it next."""
        open_id = self.conversation.id
        return self._repository.turns(open_id) if open_id else self.conversation.system_messages()

    def context_use(self, messages: tuple[ChatMessage, ...]) -> tuple[int, int]:
        """Tokens of `messages`, and of the model's context; 0 where not known. From any thread."""
        if self._model is None or not messages:
            return 0, 0
        with suppress(TuteeError):  # a template may refuse them; sending says so
            return self._chat.context_use(messages) or 0, self._model.context
        return 0, 0

    def check_can_think(self) -> None:
        """Check that thinking can be turned on and off.

        Raises:
            TuteeError: the model's chat template does not leave the choice, or it is not known yet.
        """
        if self._model is None:
            raise TuteeError(_("The model is still loading."), _("Try again once it is ready."))
        if not self._model.can_think:
            model = self._model.label
            raise TuteeError(
                _("The chat template of {model} has no switch for thinking.").format(model=model),
                _("It decides by itself; what it thinks is folded away."),
            )

    def last_exchange(self) -> Exchange:
        """The last question with its reply.

        Raises:
            TuteeError: there is none, or a reply is in progress.
        """
        if self._live is not None:
            raise _busy()
        return self.conversation.last_exchange()

    def forget(self, conversation_id: str) -> None:
        """Drop the queue and the reply in progress of a conversation, and leave it."""
        self._queue = deque(m for m in self._queue if m.conversation_id != conversation_id)
        live = self._live
        if live is not None and live.conversation_id == conversation_id:
            if live.requested:
                live.discarded = True
                self._chat.stop_reply()
            else:
                self._live = None
        if self.conversation.id == conversation_id:
            self.conversation.new()

    def _live_here(self) -> LiveReply | None:
        live = self._live
        return live if live and live.conversation_id == self.conversation.id else None

    def _queued_here(self) -> list[QueuedMessage]:
        return [m for m in self._queue if m.conversation_id == self.conversation.id]

    # -- one reply after the other ---------------------------------------------------------------

    def _next(self) -> list[Change]:
        """Store the next queued message and request its reply, unless one is in progress."""
        if self._live is not None or not self._queue:
            return []
        queued = self._queue[0]
        message = self._repository.add_message(
            queued.conversation_id, "user", queued.text, beside=queued.beside
        )
        self._queue.popleft()
        live = self._live = self._new_live(queued.conversation_id, message.id)
        if self._model is not None:
            self._request(live)
        if queued.conversation_id != self.conversation.id:
            return []
        if queued.beside:
            return [BranchChanged(self.view())]
        added = MessageAdded(UserView(message.id, message.content))
        return [added, ReplyBegan(live.view()), self.queued()]

    def _new_live(self, conversation_id: str, question_id: str) -> LiveReply:
        own = self._repository.conversation(conversation_id).sampling
        return LiveReply(new_id(), conversation_id, question_id, own or self._config().sampling)

    def _request(self, live: LiveReply) -> None:
        live.requested = True
        prompt = live.prompt(self._repository)
        records = self._recallable(live.conversation_id)
        self._chat.reply(live.id, prompt, live.sampling, self._seed(), records)

    def _recallable(self, conversation_id: str | None) -> list[Record]:
        """The records that a reply in a conversation may recall."""
        own = self._repository.conversation(conversation_id).recall if conversation_id else None
        wanted = self._config().chat.recall if own is None else own
        return self._repository.trainable() if wanted else []

    def _ended(self, live: LiveReply, reply: Message | None) -> list[Change]:
        changes: list[Change] = []
        if live.conversation_id == self.conversation.id:
            view = reply_view(self._repository, reply) if reply else None
            changes = [ReplyEnded(live.id, view)]
            if live.alternative and view is None:
                changes.append(BranchChanged(self.view()))
        changes += self._next()
        self.prefill()
        return changes

    def _store(self, live: LiveReply, done: ReplyDone | None = None) -> Message | None:
        reply = live.store(self._repository, self._model, self._adapter, done)
        if reply and done:
            self._score(reply)
        return reply

    def _rate(self, live: LiveReply, reply: Message | None) -> list[Change]:
        """Store the feedback that was given while the reply was in progress."""
        if live.feedback is None or live.discarded:
            return []
        if reply is None:
            gone = TuteeError(
                _("The reply ended before its first word, so there is nothing to rate.")
            )
            return [FeedbackStored(None, gone)]
        try:
            live.feedback.store(self._repository, reply.id)
        except TuteeError as error:
            return [FeedbackStored(reply.id, error)]
        return [FeedbackStored(reply.id, editing=live.feedback.correction == "")]

    def _score(self, reply: Message) -> None:
        """Request a reward score, if scores are shown and a trusted reward model exists."""
        adapters = self._chat.adapters
        if not self._config().chat.show_rewards or adapters is None or not reply.content.strip():
            return
        with suppress(TuteeError):  # a reward model that does not fit the base scores nothing
            trusted = adapters.trusted_reward_model()
            if trusted and (directory := adapters.path(trusted)):
                messages = self._repository.turns(reply.conversation_id, reply.parent_id)
                self._chat.score(reply.id, messages, reply.content, directory)


def _busy() -> TuteeError:
    return TuteeError(_("A reply is being written."), _("Esc stops it; then try again."))
