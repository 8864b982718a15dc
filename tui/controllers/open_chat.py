"""What the open chat is: which one, under which system prompt, what was said last. Reading only."""

from dataclasses import dataclass

from core.config import Config
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Conversation, Message, Sampling
from store.repository import Repository
from tui.views.chat import UserView

_REMEMBERED = 200
"""Messages that the prompt brings back."""


@dataclass(frozen=True)
class Question:
    """What the person asked, with everything before it."""

    text: str
    turns: tuple[ChatMessage, ...]
    conversation_id: str


@dataclass(frozen=True)
class Exchange:
    """A question and the reply that stands."""

    text: str
    turns: tuple[ChatMessage, ...]
    """Everything before the reply."""
    reply: Message


@dataclass(frozen=True)
class ChatSettings:
    """What a chat has of its own."""

    system_prompt: str = ""
    """Empty for that of the settings."""
    sampling: Sampling | None = None
    """None for that of the settings."""


class OpenChat:
    """The chat on the screen; none at first, and while nothing was said in a new one."""

    def __init__(self, repository: Repository, config: Config) -> None:
        self._repository = repository
        self._config = config
        self._open: str | None = None

    @property
    def conversation(self) -> Conversation | None:
        """The open chat, if it has begun."""
        return self._repository.conversation(self._open) if self._open else None

    def new(self) -> None:
        """Begin another chat; it is kept from its first message on."""
        self._open = None

    def open(self, conversation_id: str) -> None:
        """Go back to an earlier chat."""
        self._open = self._repository.conversation(conversation_id).id

    def own(self) -> ChatSettings:
        """What the chat has of its own."""
        talk = self.conversation
        return ChatSettings(talk.system_prompt, talk.sampling) if talk else ChatSettings()

    def default(self) -> ChatSettings:
        """What it has where it has nothing of its own."""
        return ChatSettings(self._config.chat.system_prompt, self._config.sampling)

    def standing(self) -> tuple[ChatMessage, ...]:
        """What stands before every message of the chat: its system prompt, if it has one."""
        if self._open:
            turns = self._repository.turns(self._open)
            return tuple(turn for turn in turns if turn.role == "system")
        system = self._config.chat.system_prompt
        return (ChatMessage(role="system", content=system),) if system else ()

    def sampling(self) -> Sampling:
        """How the next reply is drawn."""
        return self.own().sampling or self._config.sampling

    def remembered(self) -> list[str]:
        """What the person said last, in whatever chat, oldest first."""
        return self._repository.asked(_REMEMBERED)

    def has_question(self) -> bool:
        """Whether anything was asked."""
        messages = self._repository.messages(self._open) if self._open else []
        return any(message.role == "user" for message in messages)

    def text_of(self, message_id: str) -> str:
        """What a message says."""
        return self._repository.message(message_id).content

    def question_of(self, reply_id: str | None) -> UserView:
        """What a reply answers; the last thing that was asked where there is no reply.

        Raises:
            TuteeError: nothing was asked.
        """
        message = self._repository.message(reply_id) if reply_id else self._last()
        if message.role == "assistant" and message.parent_id:
            message = self._repository.message(message.parent_id)
        if message.role != "user":
            raise TuteeError(_("There is no question to edit."))
        return UserView(message.id, message.content)

    def last_question(self) -> Question | None:
        """What the person asked last."""
        if self._open is None:
            return None
        asked = [m for m in self._repository.messages(self._open) if m.role == "user"]
        if not asked:
            return None
        turns = self._repository.turns(self._open, asked[-1].id)
        return Question(asked[-1].content, turns, self._open)

    def last_exchange(self) -> Exchange:
        """The last question with its reply.

        Raises:
            TuteeError: there is none.
        """
        messages = self._repository.messages(self._open) if self._open else []
        if len(messages) < 2 or messages[-1].role != "assistant":
            raise TuteeError(_("There is no whole reply to draw again."), _("Ask something first."))
        reply = messages[-1]
        return Exchange(messages[-2].content, self._repository.prompt_for(reply.id), reply)

    def _last(self) -> Message:
        messages = self._repository.messages(self._open) if self._open else []
        if not messages or messages[-1].role == "system":
            raise TuteeError(_("Nothing was asked yet."), _("Ask something first."))
        return messages[-1]

    def _begun(self) -> str:
        """The id of the chat, which begins now where it had not."""
        if self._open is None:
            system_prompt = self._config.chat.system_prompt
            self._open = self._repository.start_conversation(system_prompt).id
        return self._open
