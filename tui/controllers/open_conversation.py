"""The conversation on the screen: its settings, and what was asked and answered last."""

from collections.abc import Callable
from dataclasses import dataclass

from core.config import Config
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Conversation, Message, Sampling
from store.repository import Repository
from tui.views.chat import UserView


@dataclass(frozen=True)
class AskedQuestion:
    """A message of the user with its context."""

    text: str
    prompt: tuple[ChatMessage, ...]
    """The messages up to and including this one."""
    conversation_id: str


@dataclass(frozen=True)
class Exchange:
    """A message of the user and the reply shown for it."""

    text: str
    prompt: tuple[ChatMessage, ...]
    """Everything before the reply."""
    reply: Message


@dataclass(frozen=True)
class ChatSettings:
    """What one conversation overrides."""

    system_prompt: str = ""
    """Empty for the default."""
    sampling: Sampling | None = None
    """None for the default."""
    recall: bool | None = None
    """Whether corrections are recalled; None for the default."""


class OpenConversation:
    """The open conversation; none at first, and none until a new one has its first message."""

    def __init__(self, repository: Repository, config: Callable[[], Config]) -> None:
        self._repository = repository
        self._config = config
        self.id: str | None = None

    @property
    def stored(self) -> Conversation | None:
        """The open conversation, once it has started."""
        return self._repository.conversation(self.id) if self.id else None

    def new(self) -> None:
        """Leave the open conversation; the next message starts another one."""
        self.id = None

    def open(self, conversation_id: str) -> None:
        self.id = self._repository.conversation(conversation_id).id

    def start(self) -> str:
        """Start a conversation unless one is open, and return its id."""
        if self.id is None:
            self.id = self._repository.start_conversation(self._config().chat.system_prompt).id
        return self.id

    # -- settings --------------------------------------------------------------------------------

    def own(self) -> ChatSettings:
        """What this conversation overrides."""
        stored = self.stored
        if stored is None:
            return ChatSettings()
        return ChatSettings(stored.system_prompt, stored.sampling, stored.recall)

    def default(self) -> ChatSettings:
        """What applies where the conversation overrides nothing."""
        config = self._config()
        return ChatSettings(config.chat.system_prompt, config.sampling, config.chat.recall)

    def sampling(self) -> Sampling:
        """Sampling settings of the next reply."""
        return self.own().sampling or self._config().sampling

    def system_messages(self) -> tuple[ChatMessage, ...]:
        """The system prompt as a message, if there is one."""
        if self.id:
            messages = self._repository.turns(self.id)
            return tuple(message for message in messages if message.role == "system")
        system = self._config().chat.system_prompt
        return (ChatMessage(role="system", content=system),) if system else ()

    # -- messages --------------------------------------------------------------------------------

    def messages(self) -> list[Message]:
        """The messages of the current branch, oldest first."""
        return self._repository.messages(self.id) if self.id else []

    def has_question(self) -> bool:
        return any(message.role == "user" for message in self.messages())

    def find(self, text: str) -> list[str]:
        """Ids of the messages on the current branch that contain `text`, the newest first; a
        correction counts as well as the reply."""
        wanted = text.strip().casefold()
        return [
            message.id
            for message in reversed(self.messages())
            if wanted
            and message.role != "system"
            and any(wanted in each.casefold() for each in self._texts(message))
        ]

    def _texts(self, message: Message) -> tuple[str, ...]:
        correction = self._repository.feedback(message.id).correction
        return (message.content,) if correction is None else (message.content, correction)

    def message(self, message_id: str | None) -> Message:
        """A message by its id; without one the last message.

        Raises:
            TuteeError: there is no message yet.
        """
        if message_id:
            return self._repository.message(message_id)
        messages = self.messages()
        if not messages or messages[-1].role == "system":
            raise TuteeError(_("Nothing was asked yet."), _("Ask something first."))
        return messages[-1]

    def question_of(self, reply_id: str | None) -> UserView:
        """The message that a reply answers; without a reply the last one of the user.

        Raises:
            TuteeError: there is no such message.
        """
        message = self.message(reply_id)
        if message.role == "assistant" and message.parent_id:
            message = self._repository.message(message.parent_id)
        if message.role != "user":
            raise TuteeError(_("There is no question to edit."))
        return UserView(message.id, message.content)

    def last_question(self) -> AskedQuestion | None:
        asked = [message for message in self.messages() if message.role == "user"]
        if not asked:
            return None
        last = asked[-1]
        prompt = self._repository.turns(last.conversation_id, last.id)
        return AskedQuestion(last.content, prompt, last.conversation_id)

    def last_exchange(self) -> Exchange:
        """The last message of the user with its reply.

        Raises:
            TuteeError: there is none.
        """
        messages = self.messages()
        if len(messages) < 2 or messages[-1].role != "assistant":
            raise TuteeError(
                _("There is no complete reply to regenerate."), _("Ask something first.")
            )
        reply = messages[-1]
        return Exchange(messages[-2].content, self._repository.prompt_for(reply.id), reply)
