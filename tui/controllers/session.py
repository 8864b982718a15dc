"""The open chat, without any widget: what is said, what waits, what is under way.

A message is stored before its reply is asked for. Replies come one at a time; whatever is sent
meanwhile waits in order, each message with the chat it was written in, so changing to another chat
neither stops nor mixes anything. What is asked or answered again becomes another way through the
chat beside the first (`store.conversations`). Every method returns the changes of the chat that is
open, for the screen to draw.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.config import Config
from core.events import ModelReady, ReplyDone, ReplyFailed, TokenChunk
from data import starter
from store.errors import TuteeError
from store.i18n import N_, _
from store.records import ChatMessage, Message, Origin, Sampling, new_id
from store.repository import Repository
from tui.controllers.feedback import reply_view, turn_view
from tui.controllers.open_chat import ChatSettings, Exchange, OpenChat
from tui.services import random_seed
from tui.views.chat import (
    Asked,
    Began,
    Change,
    Ended,
    Grew,
    LiveView,
    Queued,
    Rerouted,
    Scene,
    UserView,
)

if TYPE_CHECKING:
    from core.workers.chat import ChatWorker

WAITING = N_("waiting for the model")
WRITING = N_("writing…")
STOPPING = N_("stopping…")


@dataclass(frozen=True)
class Said:
    """A message that waits for its turn."""

    conversation_id: str
    text: str
    beside: str | None = None
    """The earlier message it is another version of."""


@dataclass
class _Live:
    """The reply under way; `requested` once the worker was asked for it."""

    id: str
    conversation_id: str
    question_id: str
    sampling: Sampling
    text: str = ""
    """What there is of it; it begins with that of the reply it goes on with."""
    goes_on: Message | None = None
    again: bool = False
    """The question has another reply already."""
    requested: bool = False
    stopping: bool = False
    unwanted: bool = False
    """Its chat was deleted."""

    def view(self) -> LiveView:
        note = STOPPING if self.stopping else WRITING if self.requested else WAITING
        return LiveView(self.id, self.text, _(note))


class Session(OpenChat):
    """One person talking with one model."""

    def __init__(
        self,
        repository: Repository,
        chat: "ChatWorker",
        config: Config,
        seed: Callable[[], int] = random_seed,
    ) -> None:
        super().__init__(repository, config)
        self._chat = chat
        self._seed = seed
        self._model: ModelReady | None = None
        self._adapter: str | None = None
        self._waiting: deque[Said] = deque()
        self._live: _Live | None = None

    def configure(self, config: Config) -> None:
        """Go on with other settings; what is under way keeps its own."""
        self._config = config

    # -- talking ---------------------------------------------------------------------------------

    @property
    def replying(self) -> bool:
        """Whether a reply is being written in the open chat."""
        live = self._live_here()
        return live is not None and live.requested

    def check(self, text: str) -> None:
        """Whether the model can read `text` at all, before anything is kept of it.

        Raises:
            TuteeError: it is too long.
        """
        self._chat.check(
            (*self.standing(), ChatMessage(role="user", content=text)), self.sampling()
        )

    def send(self, text: str, beside: str | None = None) -> list[Change]:
        """Say `text` in the open chat, now or when its turn comes.

        Args:
            text: What is said.
            beside: The earlier message of the person it is another version of, if it is one.
        """
        self._waiting.append(Said(self._begun(), text, beside))
        return self._next() or [self.queued()]

    def take_back(self) -> Said | None:
        """Take the message back that was sent last in the open chat and still waits."""
        waiting = [said for said in self._waiting if said.conversation_id == self._open]
        if not waiting:
            return None
        self._waiting.remove(waiting[-1])
        return waiting[-1]

    def read_ahead(self) -> None:
        """Let the model read the open chat while the next question is being written."""
        if self._model is None or self._live is not None:
            return
        turns = self._repository.turns(self._open) if self._open else self.standing()
        if turns and turns[-1].role != "user":
            self._chat.prefill(turns, self.sampling())

    def stop(self) -> list[Change]:
        """End the reply under way in the open chat; what it has so far is kept."""
        live = self._live_here()
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

    # -- another way through the chat ------------------------------------------------------------

    def regenerate(self, reply_id: str | None) -> list[Change]:
        """Have a reply written anew, beside the one there is.

        Args:
            reply_id: Which one; None for the end of the chat, also where no reply came.

        Raises:
            TuteeError: another reply is under way, or nothing was asked yet.
        """
        message = self._repository.message(reply_id) if reply_id else self._last()
        question_id = message.id if message.role == "user" else message.parent_id
        return self._again(message.conversation_id, question_id, None)

    def go_on(self, reply_id: str) -> list[Change]:
        """Have a reply written on from its end; the longer one stands beside it.

        Raises:
            TuteeError: another reply is under way.
        """
        message = self._repository.message(reply_id)
        return self._again(message.conversation_id, message.parent_id, message)

    def _again(
        self, conversation_id: str, question_id: str | None, goes_on: Message | None
    ) -> list[Change]:
        if self._live is not None:
            raise TuteeError(_("A reply is being written."), _("Esc stops it; then try again."))
        if question_id is None:
            raise TuteeError(_("This reply answers no question, so it cannot be written anew."))
        live = self._live = self._new_live(conversation_id, question_id)
        live.again = True
        if goes_on is not None:
            # A model goes on badly behind a blank; it writes what it needs itself.
            standing = self._repository.feedback(goes_on.id).correction or goes_on.content
            live.goes_on, live.text = goes_on, standing.rstrip()
        if self._model is not None:
            self._request(live)
        return [Rerouted(self.scene())]

    def choose(self, message_id: str, step: int) -> list[Change]:
        """Show the version of a message before or after it, with all that followed that one.

        Raises:
            TuteeError: a reply is under way, which belongs to this one.
        """
        conversation_id = self._repository.message(message_id).conversation_id
        versions = self._repository.siblings(conversation_id)[message_id]
        place = versions.index(message_id) + step
        if not 0 <= place < len(versions):
            return []
        if self._live_here() is not None:
            raise TuteeError(_("A reply is being written."), _("Esc stops it; then change."))
        self._repository.choose(versions[place])
        return [Rerouted(self.scene(), versions[place])]

    # -- one reply after the other ---------------------------------------------------------------

    def _next(self) -> list[Change]:
        """Take the next waiting message up, if nothing is under way."""
        if self._live is not None or not self._waiting:
            return []
        said = self._waiting[0]
        message = self._repository.add_message(
            said.conversation_id, "user", said.text, beside=said.beside
        )
        self._waiting.popleft()
        live = self._live = self._new_live(said.conversation_id, message.id)
        if self._model is not None:
            self._request(live)
        if said.conversation_id != self._open:
            return []
        if said.beside:
            return [Rerouted(self.scene())]
        asked = Asked(UserView(message.id, message.content))
        return [asked, Began(live.view()), self.queued()]

    def _new_live(self, conversation_id: str, question_id: str) -> _Live:
        own = self._repository.conversation(conversation_id).sampling
        return _Live(new_id(), conversation_id, question_id, own or self._config.sampling)

    def _request(self, live: _Live) -> None:
        live.requested = True
        turns = self._repository.turns(live.conversation_id, live.question_id)
        if live.goes_on is not None:
            turns = (*turns, ChatMessage(role="assistant", content=live.text))
        self._chat.reply(live.id, turns, live.sampling, self._seed())

    def _finish(self, live: _Live, done: ReplyDone) -> list[Change]:
        self._live = None
        before = live.goes_on
        whole = live.text if before else done.text
        if done.stopped and not done.text.strip():
            message = None  # stopped before it had said anything
        elif live.unwanted:
            message = None
        else:
            origin = self._origin(live, done.adapter, done.seed, stopped=done.stopped)
            origin = origin.model_copy(update={"forgotten": done.forgotten})
            tokens = done.tokens + (before.tokens if before else 0)
            seconds = done.seconds + (before.seconds if before else 0.0)
            message = self._store_reply(live, whole, origin, tokens, seconds)
            self._score(message)
        return self._ended(live, message)

    def _score(self, reply: Message) -> None:
        """Have a reply scored, if that is wanted and there is a reward model to trust."""
        adapters = self._chat.adapters
        if not self._config.chat.show_rewards or adapters is None or not reply.content.strip():
            return
        with suppress(TuteeError):  # one that does not fit this model scores nothing
            trusted = adapters.trusted_reward_model()
            if trusted and (directory := adapters.path(trusted)):
                turns = self._repository.turns(reply.conversation_id, reply.parent_id)
                self._chat.score(reply.id, turns, reply.content, directory)

    def _keep_partial(self, live: _Live) -> Message | None:
        before = len(live.goes_on.content.rstrip()) if live.goes_on else 0
        if live.unwanted or not live.text[before:].strip():
            return None
        return self._store_reply(
            live, live.text, self._origin(live, self._adapter, None, stopped=True)
        )

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

    def _origin(
        self, live: _Live, adapter: str | None, seed: int | None, *, stopped: bool
    ) -> Origin:
        return Origin(
            model=self._model.model_id if self._model else None,
            revision=self._model.revision if self._model else None,
            adapter=adapter,
            sampling=live.sampling,
            seed=seed,
            stopped=stopped,
        )

    def _ended(self, live: _Live, message: Message | None) -> list[Change]:
        ended: list[Change] = []
        if live.conversation_id == self._open:
            view = reply_view(self._repository, message) if message else None
            ended = [Ended(live.id, view)]
            if live.again and view is None:
                ended.append(Rerouted(self.scene()))
        ended += self._next()
        self.read_ahead()
        return ended

    # -- which chat is open ----------------------------------------------------------------------

    def forget(self, conversation_id: str) -> None:
        """Drop what waits or is under way in a chat that is deleted, and leave it."""
        self._waiting = deque(s for s in self._waiting if s.conversation_id != conversation_id)
        live = self._live
        if live is not None and live.conversation_id == conversation_id:
            if live.requested:
                live.unwanted = True
                self._chat.stop_reply()
            else:
                self._live = None
        if self._open == conversation_id:
            self._open = None

    def set_chat(self, settings: ChatSettings) -> None:
        """Say how the open chat goes on.

        Raises:
            TuteeError: a reply is under way.
        """
        if self._live_here() is not None:
            raise TuteeError(_("A reply is being written."), _("Esc stops it; then change."))
        self._repository.set_chat(
            self._begun(), system_prompt=settings.system_prompt, sampling=settings.sampling
        )

    def scene(self) -> Scene:
        """The open chat as it stands."""
        if self._open is None:
            counts = self._repository.counts()
            taught = counts.instructions + counts.preferences + counts.verdicts
            return Scene(examples=0 if taught else len(starter.instructions()))
        live = self._live_here()
        end = live.question_id if live else None
        messages = self._repository.path(end) if end else self._repository.messages(self._open)
        versions = self._repository.siblings(self._open)
        turns = tuple(
            turn_view(self._repository, message, versions)
            for message in messages
            if message.role != "system"
        )
        return Scene(turns, live.view() if live else None, self.queued().texts)

    def last_exchange(self) -> Exchange:
        """The last question with its reply.

        Raises:
            TuteeError: there is none, or one is being written.
        """
        if self._live is not None:
            raise TuteeError(_("There is no whole reply to draw again."), _("Ask something first."))
        return super().last_exchange()

    def _live_here(self) -> _Live | None:
        live = self._live
        return live if live is not None and live.conversation_id == self._open else None

    def queued(self) -> Queued:
        """What waits in the open chat."""
        return Queued(tuple(s.text for s in self._waiting if s.conversation_id == self._open))
