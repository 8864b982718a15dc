"""The open chat, without any widget: what is said, what waits, what is under way.

A message is stored before its reply is asked for. Replies come one at a time; whatever is sent
meanwhile waits in order, each message with the chat it was written in, so changing to another chat
neither stops nor mixes anything. Every method returns the changes of the chat that is open, for the
screen to draw.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.config import Config
from core.events import ModelReady, ReplyDone, ReplyFailed, TokenChunk
from data import starter
from store.errors import TuteeError
from store.records import Message, Origin, Turn, new_id
from store.repository import Repository
from tui.seeds import random_seed
from tui.teaching import reply_view
from tui.views import (
    Asked,
    Began,
    Change,
    ConversationView,
    Ended,
    Grew,
    LiveView,
    Queued,
    Scene,
    TurnView,
    UserView,
)

if TYPE_CHECKING:
    from core.workers import ChatWorker

WAITING = "waiting for the model"
WRITING = "writing"
STOPPING = "stopping"


@dataclass(frozen=True)
class Question:
    """What the person asked, with everything before it."""

    text: str
    turns: tuple[Turn, ...]
    conversation_id: str


@dataclass(frozen=True)
class Exchange:
    """A question and the reply that stands."""

    text: str
    turns: tuple[Turn, ...]
    """Everything before the reply."""
    reply: Message


@dataclass(frozen=True)
class _Said:
    conversation_id: str
    text: str


@dataclass
class _Live:
    """The reply under way; `requested` once the worker was asked for it."""

    id: str
    conversation_id: str
    question_id: str
    text: str = ""
    requested: bool = False
    stopping: bool = False

    def view(self) -> LiveView:
        note = STOPPING if self.stopping else WRITING if self.requested else WAITING
        return LiveView(self.id, self.text, note)


class Session:
    """One person talking with one model."""

    def __init__(
        self,
        repository: Repository,
        chat: "ChatWorker",
        config: Config,
        seed: Callable[[], int] = random_seed,
    ) -> None:
        self._repository = repository
        self._chat = chat
        self._config = config
        self._seed = seed
        self._model: ModelReady | None = None
        self._adapter: str | None = None
        self._open: str | None = None
        self._waiting: deque[_Said] = deque()
        self._live: _Live | None = None

    def configure(self, config: Config) -> None:
        """Go on with other settings; what is under way keeps its own."""
        self._config = config

    # -- talking ---------------------------------------------------------------------------------

    @property
    def replying(self) -> bool:
        """Whether a reply is being written in the open chat."""
        live = self._live
        return live is not None and live.requested and live.conversation_id == self._open

    def send(self, text: str) -> list[Change]:
        """Say `text` in the open chat, now or when its turn comes."""
        if self._open is None:
            system_prompt = self._config.chat.system_prompt
            self._open = self._repository.start_conversation(system_prompt).id
        self._waiting.append(_Said(self._open, text))
        return self._next() or [self._queued()]

    def stop(self) -> list[Change]:
        """End the reply under way in the open chat; what it has so far is kept."""
        live = self._live
        if live is None or not self.replying:
            return []
        live.stopping = True
        self._chat.stop_reply()
        return [Began(live.view())]

    def model_ready(self, event: ModelReady) -> list[Change]:
        """The model can answer: ask for the reply that has been waited for."""
        self._model, self._adapter = event, event.adapter
        live = self._live
        if live is None or live.requested:
            return []
        self._request(live)
        return [Began(live.view())] if live.conversation_id == self._open else []

    def adapter_changed(self, version: str) -> None:
        """Replies come from adapter `version` from now on."""
        self._adapter = version

    def on_reply(self, event: TokenChunk | ReplyDone | ReplyFailed) -> list[Change]:
        """Take up what the worker says about a reply."""
        live = self._live
        if live is None or live.id != event.request_id:
            return []
        match event:
            case TokenChunk():
                live.text += event.text
                return [Grew(live.id, event.text)] if live.conversation_id == self._open else []
            case ReplyDone():
                return self._finish(live, event)
            case ReplyFailed():
                self._live = None
                return self._ended(live, self._keep_partial(live))

    def close(self) -> None:
        """The app ends: keep what the reply under way has so far."""
        live, self._live = self._live, None
        if live is not None:
            self._keep_partial(live)

    def _next(self) -> list[Change]:
        """Take the next waiting message up, if nothing is under way."""
        if self._live is not None or not self._waiting:
            return []
        said = self._waiting[0]
        message = self._repository.add_message(said.conversation_id, "user", said.text)
        self._waiting.popleft()
        live = self._live = _Live(new_id(), said.conversation_id, message.id)
        if self._model is not None:
            self._request(live)
        if said.conversation_id != self._open:
            return []
        asked = Asked(UserView(message.id, message.content))
        return [asked, Began(live.view()), self._queued()]

    def _request(self, live: _Live) -> None:
        live.requested = True
        turns = self._repository.turns(live.conversation_id)
        self._chat.reply(live.id, turns, self._config.sampling, self._seed())

    def _finish(self, live: _Live, done: ReplyDone) -> list[Change]:
        self._live = None
        if done.stopped and not done.text.strip():
            return self._ended(live, None)
        origin = self._origin(done.adapter, done.seed, stopped=done.stopped)
        message = self._store_reply(live, done.text, origin, done.tokens, done.seconds)
        return self._ended(live, message)

    def _keep_partial(self, live: _Live) -> Message | None:
        if not live.text.strip():
            return None
        origin = self._origin(self._adapter, None, stopped=True)
        return self._store_reply(live, live.text, origin)

    def _store_reply(
        self, live: _Live, text: str, origin: Origin, tokens: int = 0, seconds: float = 0.0
    ) -> Message:
        return self._repository.add_message(
            live.conversation_id,
            "assistant",
            text,
            parent_id=live.question_id,
            origin=origin,
            tokens=tokens,
            seconds=seconds,
        )

    def _origin(self, adapter: str | None, seed: int | None, *, stopped: bool) -> Origin:
        return Origin(
            model=self._model.model_id if self._model else None,
            revision=self._model.revision if self._model else None,
            adapter=adapter,
            sampling=self._config.sampling,
            seed=seed,
            stopped=stopped,
        )

    def _ended(self, live: _Live, message: Message | None) -> list[Change]:
        view = reply_view(self._repository, message) if message else None
        ended: list[Change] = [Ended(live.id, view)] if live.conversation_id == self._open else []
        return ended + self._next()

    # -- which chat is open ----------------------------------------------------------------------

    def new(self) -> None:
        """Begin another chat; it is kept from its first message on."""
        self._open = None

    def open(self, conversation_id: str) -> None:
        """Go back to an earlier chat."""
        self._open = self._repository.conversation(conversation_id).id

    def conversations(self) -> list[ConversationView]:
        """All chats, newest first."""
        return [
            ConversationView(c.id, c.title, f"{c.updated.astimezone():%Y-%m-%d %H:%M}")
            for c in self._repository.conversations()
        ]

    def scene(self) -> Scene:
        """The open chat as it stands."""
        if self._open is None:
            counts = self._repository.counts()
            taught = counts.instructions + counts.preferences + counts.verdicts
            return Scene(examples=0 if taught else len(starter.instructions()))
        messages = self._repository.messages(self._open)
        turns = tuple(self._view(message) for message in messages if message.role != "system")
        live = self._live if self._live and self._live.conversation_id == self._open else None
        return Scene(turns, live.view() if live else None, self._queued().texts)

    def last_question(self) -> Question | None:
        """What the person asked last in the open chat."""
        if self._open is None:
            return None
        asked = [m for m in self._repository.messages(self._open) if m.role == "user"]
        if not asked:
            return None
        last = asked[-1]
        turns = (
            *self._repository.prompt_for(last.id),
            Turn(role="user", content=last.content),
        )
        return Question(last.content, turns, self._open)

    def last_exchange(self) -> Exchange:
        """The last question of the open chat with its reply.

        Raises:
            TuteeError: there is none, or one is being written.
        """
        messages = self._repository.messages(self._open) if self._open else []
        if len(messages) < 2 or messages[-1].role != "assistant" or self._live is not None:
            raise TuteeError("There is no whole reply to draw again.", "Ask something first.")
        reply = messages[-1]
        return Exchange(messages[-2].content, self._repository.prompt_for(reply.id), reply)

    def _queued(self) -> Queued:
        return Queued(tuple(s.text for s in self._waiting if s.conversation_id == self._open))

    def _view(self, message: Message) -> TurnView:
        if message.role == "user":
            return UserView(message.id, message.content)
        return reply_view(self._repository, message)
