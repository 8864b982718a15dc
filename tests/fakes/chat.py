"""A chat worker with scripted replies."""

import queue
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Event as Flag

from core.adapters.registry import Adapters
from core.config import Serving
from core.events import (
    AdapterSwapped,
    Candidate,
    CandidatesRanked,
    Event,
    ModelFailed,
    ModelLoading,
    ModelReady,
    ReplyDone,
    ReplyFailed,
    ReplyScored,
    SwapFailed,
    ThoughtChunk,
    TokenChunk,
)
from core.workers.guest_replies import GuestRequest, RawPrompt
from store.errors import TuteeError
from store.records import ChatMessage, Record, Sampling
from tests.fakes.thread import FOLDER, Emit, Worker


class FakeChat:
    """A `core.workers.chat.ChatWorker` with scripted replies.

    Args:
        emit: Where events go.
        replies: Its replies in order; the last one repeats.
        loads_by_itself: Load at once; else when `finish_loading` is called.
        writes_by_itself: Write whole replies at once; else a piece per `write` until `finish`.
    """

    def __init__(
        self,
        emit: Emit,
        replies: Iterable[str] = ("Paris.",),
        *,
        loads_by_itself: bool = True,
        writes_by_itself: bool = True,
        load_errors: Iterable[TuteeError] = (),
        adapters: Adapters | None = None,
    ) -> None:
        self.adapters: Adapters | None = None
        self.prompts: list[tuple[ChatMessage, ...]] = []
        self.ahead: list[tuple[ChatMessage, ...]] = []
        """Prefilled conversations."""
        self.recallable: list[list[str]] = []
        """Ids of the records given with each reply."""
        self.recalls: tuple[str, ...] = ()
        """Ids of the records that its replies recall."""
        self.compared: list[tuple[str, tuple[ChatMessage, ...]]] = []
        """Version and prompt of each answer outside the chat."""
        self.answers_stopped = 0
        self.candidates: tuple[str, ...] = ()
        """The candidates it draws, best first."""
        self.drawn: list[tuple[tuple[ChatMessage, ...], str]] = []
        """Prompt and reward model of each draw."""
        self.scored: list[tuple[tuple[ChatMessage, ...], str, str]] = []
        """Prompt, reply and reward model of each score."""
        self.started = 0
        self.specs: list[str] = []
        """The models it was started with."""
        self.served: list[Serving] = []
        """Serving settings it was given."""
        self.fail_next: TuteeError | None = None
        self.longest: int | None = None
        """Most characters of a message; None for no limit."""
        self.fail_swap: TuteeError | None = None
        self.can_think = True
        """Its template lets thinking be chosen."""
        self.thoughts = ""
        """What it thinks before each reply."""
        self.closed = False
        self._emit = emit
        self._replies = list(replies)
        self._load_errors = list(load_errors)
        self._found = adapters
        self._adapter = "base"
        self._stop = Flag()
        self._load = Flag()
        self._pieces: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._writes_by_itself = writes_by_itself
        if loads_by_itself:
            self._load.set()
        self._worker = Worker()

    # -- what the app calls ----------------------------------------------------------------------

    def start(self, spec: str, cache: Path, models_dir: Path, adapter: str | None = None) -> None:
        self.started += 1
        self.specs.append(spec)
        self._worker.put(self._do_load)

    def serve_as(self, serving: Serving) -> None:
        self.served.append(serving)

    def fail_loading(self, error: TuteeError) -> None:
        """Let the next model fail to load."""
        self._load_errors.append(error)

    def check(self, prompt: tuple[ChatMessage, ...] | RawPrompt, sampling: Sampling) -> None:
        size = len((prompt if isinstance(prompt, RawPrompt) else prompt[-1]).content)
        if self.longest is not None and size > self.longest:
            raise TuteeError(f"The message is too long: {size} and {self.longest} fit.")

    def context_use(self, messages: tuple[ChatMessage, ...]) -> int:
        return sum(len(message.content.split()) for message in messages)

    def reply(
        self,
        request_id: str,
        messages: tuple[ChatMessage, ...],
        sampling: Sampling,
        seed: int,
        records: Sequence[Record] = (),
    ) -> None:
        self.recallable.append([record.id for record in records])
        self._stop.clear()
        self._worker.put(lambda: self._do_reply(request_id, messages, seed))

    def prefill(
        self,
        messages: tuple[ChatMessage, ...],
        sampling: Sampling,
        records: Sequence[Record] = (),
    ) -> None:
        self.ahead.append(messages)

    def stop_reply(self) -> None:
        self._stop.set()
        self._pieces.put(None)

    def answer(
        self,
        request_id: str,
        version: str,
        messages: tuple[ChatMessage, ...],
        sampling: Sampling,
        seed: int,
    ) -> None:
        self.compared.append((version, messages))
        self._stop.clear()
        self._worker.put(lambda: self._do_reply(request_id, messages, seed, version))

    def best_of(
        self,
        request_id: str,
        messages: tuple[ChatMessage, ...],
        given: str,
        reward_model: Path,
        sampling: Sampling,
        seed: int,
        count: int,
    ) -> None:
        self.drawn.append((messages, reward_model.name))

        def rank() -> None:
            if self.fail_next is not None:
                error, self.fail_next = self.fail_next, None
                self._emit(ReplyFailed(request_id, error))
                return
            texts = dict.fromkeys((*self.candidates, given))
            ranked = tuple(Candidate(text, 1.5 - place) for place, text in enumerate(texts))
            self._emit(CandidatesRanked(request_id, ranked, self._adapter, sampling, seed))

        self._worker.put(rank)

    def score(
        self, message_id: str, messages: tuple[ChatMessage, ...], reply: str, reward_model: Path
    ) -> None:
        self.scored.append((messages, reply, reward_model.name))
        self._worker.put(lambda: self._emit(ReplyScored(message_id, 1.75)))

    def serve(self, request: GuestRequest) -> None:
        def reply() -> None:
            text = self._replies[0]
            request.emit(TokenChunk(request.id, text))
            request.emit(
                ReplyDone(request.id, text, False, False, 3, 1.0, request.version, request.seed)
            )

        self._worker.put(reply)

    def withdraw(self, request: GuestRequest) -> None:
        request.stop.set()

    def stop_answers(self) -> None:
        self.answers_stopped += 1

    def swap(self, version: str) -> None:
        self._worker.put(lambda: self._do_swap(version))

    def close(self, timeout: float) -> bool:
        self.closed = True
        self._load.set()
        self.stop_reply()
        return self._worker.close(timeout)

    # -- what a test calls -----------------------------------------------------------------------

    @property
    def answering(self) -> str:
        """The active version."""
        return self._adapter

    def emit(self, event: Event) -> None:
        self._worker.put(lambda: self._emit(event))

    def finish_loading(self) -> None:
        self._load.set()

    def write(self, piece: str) -> None:
        """Append `piece` to the reply in progress."""
        self._pieces.put(piece)

    def finish(self) -> None:
        """End the reply in progress."""
        self._pieces.put(None)

    # -- in its thread ---------------------------------------------------------------------------

    def _do_load(self) -> None:
        self._emit(ModelLoading("Loading the model"))
        self._load.wait()
        if self._load_errors:
            self._emit(ModelFailed(self._load_errors.pop(0)))
            return
        self.adapters = self._found
        if self.adapters is not None:
            self._adapter = self.adapters.active()
        self._emit(
            ModelReady(
                FOLDER.id,
                FOLDER.revision,
                FOLDER.label,
                self._adapter,
                1.0,
                context=8192,
                can_think=self.can_think,
            )
        )

    def _do_reply(
        self, request_id: str, messages: tuple[ChatMessage, ...], seed: int, version: str = ""
    ) -> None:
        self.prompts.append(messages)
        text = ""
        if self.thoughts:
            self._emit(ThoughtChunk(request_id, self.thoughts))
        for piece in self._script():
            text += piece
            self._emit(TokenChunk(request_id, piece))
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            self._emit(ReplyFailed(request_id, error))
            return
        self._emit(
            ReplyDone(
                request_id=request_id,
                text=text,
                stopped=self._stop.is_set(),
                truncated=False,
                tokens=83,
                seconds=2.0,
                adapter=version or self._adapter,
                seed=seed,
                recalled=self.recalls,
                thoughts=self.thoughts,
                thought_seconds=12.0 if self.thoughts else 0.0,
            )
        )

    def _script(self) -> Iterable[str]:
        if self._writes_by_itself:
            reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
            yield from (reply[i : i + 7] for i in range(0, len(reply), 7))
            return
        while (piece := self._pieces.get()) is not None and not self._stop.is_set():
            yield piece

    def _do_swap(self, version: str) -> None:
        if self.fail_swap is not None:
            self._emit(SwapFailed(version, self.fail_swap))
            return
        self._adapter = version
        self._emit(AdapterSwapped(version, 0.1))
