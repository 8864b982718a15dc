"""The thread that answers; `core.workers.tuning` has the one that trains.

Nobody but these two touches a tensor. Both are told what to do through plain calls that return at
once, and tell what happened through events. They are daemons of the process: `close` asks them to
stop and waits a bounded time, because a thread inside a long kernel cannot be stopped from outside
and quitting must not hang on it.
"""

import logging
import queue
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING

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
    TokenChunk,
)
from core.models.folder import find
from core.models.loading import notice
from core.runtime import openmp
from core.runtime.failures import as_tutee_error
from core.runtime.scheduler import Cancelled, Scheduler
from core.training.run_control import RunControl
from core.workers.reward_scores import Scores
from data.tokenization import encode
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Sampling

if TYPE_CHECKING:
    from core.serving.engine import Engine

log = logging.getLogger(__name__)

Emit = Callable[[Event], None]
_WARM = 0.8
"""The least temperature at which replies are drawn to choose from."""


@dataclass(frozen=True)
class _Request:
    """What a reply is wanted to."""

    id: str
    turns: tuple[ChatMessage, ...]
    sampling: Sampling
    seed: int
    stop: Flag


def _asked(
    id_: str, turns: tuple[ChatMessage, ...], sampling: Sampling, seed: int, stop: Flag
) -> _Request:
    """`seed` is what the chance of the caller gave; one that the person fixed goes first."""
    return _Request(id_, turns, sampling, seed if sampling.seed is None else sampling.seed, stop)


class ChatWorker:
    """Owns the serving model: loads it, streams replies, swaps adapters between two replies."""

    def __init__(
        self, emit: Emit, scheduler: Scheduler | None = None, serving: Serving | None = None
    ) -> None:
        self.adapters: Adapters | None = None
        """The versions of the model in use; set once the model is found."""
        self.scheduler = scheduler or Scheduler()
        self._emit = emit
        self._serving = serving or Serving()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stops: deque[Flag] = deque()
        """A flag for each reply that is not done yet, the one under way first."""
        self._ahead: tuple[ChatMessage, ...] = ()
        """What is to be read before it is needed."""
        self._closing = Flag()
        self._engine: Engine | None = None
        self._adapter = ""
        self._scores = Scores()
        self._beside: tuple[str, Engine] | None = None
        """Another version, loaded to be compared with."""
        self._comparing = Flag()
        """Ends all answers that were asked for before it was set."""
        self._thread = Thread(target=self._work, name="tutee-chat", daemon=True)

    def start(self, spec: str, cache: Path, models_dir: Path, adapter: str | None = None) -> None:
        """Find and load the model `spec`, with `adapter` or else the home's active one.

        A model that answered before goes once the replies asked for are written, and comes back if
        this one cannot be loaded.
        """
        if not self._thread.is_alive():
            self._thread.start()
        self._jobs.put(lambda: self._load(spec, cache, models_dir, adapter))

    def serve_as(self, serving: Serving) -> None:
        """Keep the model in another way, from the next reply on; it is loaded again for that."""
        self._jobs.put(lambda: self._serve_as(serving))

    def check(self, turns: tuple[ChatMessage, ...], sampling: Sampling) -> None:
        """Whether the last of `turns` can be answered at all; not known while a model is loading.

        To be called from any thread: it only counts tokens.

        Raises:
            TuteeError: it does not fit into the model's context.
        """
        engine = self._engine
        if engine is not None:
            engine.check(turns, sampling.max_new_tokens)

    def reply(
        self, request_id: str, turns: tuple[ChatMessage, ...], sampling: Sampling, seed: int
    ) -> None:
        """Stream a reply to `turns`, after whatever was asked before."""
        request = _asked(request_id, turns, sampling, seed, Flag())
        self._stops.append(request.stop)
        self._jobs.put(lambda: self._reply(request))

    def read_ahead(self, turns: tuple[ChatMessage, ...], sampling: Sampling) -> None:
        """Read `turns` before the question after them is sent; it is enough to call this often.

        Replies go first, and of several the latest counts alone.
        """
        self._ahead = turns
        self._jobs.put(lambda: self._read_ahead(turns, sampling))

    def stop_reply(self) -> None:
        """End the first reply that is not done at its next token; the others are not touched."""
        with suppress(IndexError):
            self._stops[0].set()

    def answer(
        self,
        request_id: str,
        version: str,
        turns: tuple[ChatMessage, ...],
        sampling: Sampling,
        seed: int,
    ) -> None:
        """Stream what `version` replies to `turns`, whichever version answers in the chat.

        Replies of the chat go first. A version that does not answer there is loaded beside the one
        that does, one at a time, and stays until `stop_answers`.
        """
        request = _asked(request_id, turns, sampling, seed, self._comparing)
        self._jobs.put(lambda: self._answer(request, version))

    def draw(
        self,
        request_id: str,
        turns: tuple[ChatMessage, ...],
        given: str,
        reward_model: Path,
        sampling: Sampling,
        seed: int,
        count: int,
    ) -> None:
        """Draw `count` replies to `turns`, and rank them and the `given` one by a reward model.

        They are drawn at a temperature of 0.8 at least, because replies that are all alike leave
        nothing to choose. `stop_answers` ends this too.
        """
        warm = max(sampling.temperature, _WARM)
        sampling = sampling.model_copy(update={"temperature": warm})
        request = _asked(request_id, turns, sampling, seed, self._comparing)
        self._jobs.put(lambda: self._draw(request, given, reward_model, count))

    def score(
        self, message_id: str, turns: tuple[ChatMessage, ...], reply: str, reward_model: Path
    ) -> None:
        """Score a reply of the chat; replies go first, and one that cannot be scored has none."""
        self._jobs.put(lambda: self._score(message_id, turns, reply, reward_model))

    def stop_answers(self) -> None:
        """End what `answer` and `draw` were asked for, without a word, and free its memory."""
        self._comparing.set()
        self._comparing = Flag()
        self._jobs.put(self._forget)

    def swap(self, version: str) -> None:
        """Answer with adapter `version` from the next reply on."""
        self._jobs.put(lambda: self._swap(version))

    def close(self, timeout: float) -> bool:
        """Stop, drop what waits, and say whether the thread ended within `timeout` seconds."""
        self._closing.set()
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._closing.is_set():
            job()
            openmp.rest()

    def _load(self, spec: str, cache: Path, models_dir: Path, adapter: str | None) -> None:
        before = self.adapters
        try:
            found = find(spec, cache, self._emit, self._closing.is_set)
            folder = replace(found, four_bit=self._serving.four_bit)
            adapters = Adapters(models_dir, folder)
            self._emit(ModelLoading(_("Loading {model}").format(model=adapters.folder.label)))
            self._serve(adapters, adapter or adapters.active())
        except Exception as error:
            self._emit(ModelFailed(as_tutee_error(error, _("Loading the model"))))
            if before is not None:
                self._return_to(before)

    def _serve(self, adapters: Adapters, version: str) -> None:
        from core.serving.engine import Engine

        started = perf_counter()
        directory = adapters.path(version)
        self._scores.forget()
        self._engine = self._beside = None  # their memory is freed before another model is loaded
        self._engine = Engine(adapters.folder, directory, self._serving)
        self.adapters, self._adapter = adapters, version
        folder, seconds = adapters.folder, perf_counter() - started
        ready = ModelReady(
            folder.id, folder.revision, folder.label, version, seconds, notice(folder)
        )
        self._emit(ready)

    def _serve_as(self, serving: Serving) -> None:
        known, before, self._serving = self.adapters, self._serving, serving
        if known is None or serving == before:
            return
        folder = replace(known.folder, four_bit=serving.four_bit)
        try:
            self._emit(ModelLoading(_("Loading {model}").format(model=folder.label)))
            self._serve(Adapters(known.dir.parent, folder), self._adapter)
        except Exception as error:
            self._serving = before
            self._emit(ModelFailed(as_tutee_error(error, _("Loading the model"))))
            self._return_to(known)

    def _return_to(self, adapters: Adapters) -> None:
        """Go on with the model that answered before another one could not be loaded."""
        try:
            self._serve(adapters, self._adapter)
        except Exception as error:
            self._emit(ModelFailed(as_tutee_error(error, _("Loading the model"))))

    def _reply(self, request: _Request) -> None:
        event: ReplyDone | ReplyFailed
        try:
            if self._engine is None:
                raise TuteeError(_("The model is not loaded, so it cannot answer."))
            event = self._write(request, self._engine, self._adapter)
        except Exception as error:
            event = ReplyFailed(request.id, as_tutee_error(error, _("The reply")))
        self._stops.popleft()
        self._emit(event)

    def _read_ahead(self, turns: tuple[ChatMessage, ...], sampling: Sampling) -> None:
        def should_stop() -> bool:
            return self._ahead is not turns or bool(self._stops) or self._closing.is_set()

        if self._engine is None or should_stop():
            return
        try:
            with self.scheduler.reply():
                self._engine.read_ahead(turns, sampling.max_new_tokens, should_stop)
        except Exception:
            log.exception("A chat could not be read ahead")

    def _answer(self, request: _Request, version: str) -> None:
        if request.stop.is_set():
            return
        if self._stops:
            self._jobs.put(lambda: self._answer(request, version))
            return
        event: ReplyDone | ReplyFailed
        try:
            event = self._write(request, self._engine_of(version), version)
        except Exception as error:
            event = ReplyFailed(request.id, as_tutee_error(error, _("The reply")))
        if not request.stop.is_set():
            self._emit(event)

    def _draw(self, request: _Request, given: str, reward_model: Path, count: int) -> None:
        event: CandidatesRanked | ReplyFailed
        try:
            event = self._ranked(request, given, reward_model, count)
        except Cancelled:
            return
        except Exception as error:
            event = ReplyFailed(request.id, as_tutee_error(error, _("Drawing replies")))
        if not request.stop.is_set():
            self._emit(event)

    def _ranked(
        self, request: _Request, given: str, reward_model: Path, count: int
    ) -> CandidatesRanked:
        from core.training.reward import Scorer

        engine = self._engine
        if engine is None:
            raise TuteeError(_("The model is not loaded, so it cannot answer."))

        def should_stop() -> bool:
            return request.stop.is_set() or self._closing.is_set()

        with self.scheduler.reply():
            drawn = engine.candidates(
                request.turns, request.sampling, request.seed, count, should_stop
            )
            texts = [text for text in dict.fromkeys((given, *drawn)) if text.strip()]
            # With turns of its own: those of the chat are held already.
            scorer = Scorer(engine.folder, reward_model, RunControl(cancelled=request.stop))
            rewards = scorer([encode(engine.tokenizer, request.turns, text) for text in texts])
        ranked = sorted(zip(rewards, texts, strict=True), key=lambda pair: -pair[0])
        return CandidatesRanked(
            request_id=request.id,
            candidates=tuple(Candidate(text, reward) for reward, text in ranked),
            adapter=self._adapter,
            sampling=request.sampling,
            seed=request.seed,
        )

    def _score(
        self, message_id: str, turns: tuple[ChatMessage, ...], reply: str, reward_model: Path
    ) -> None:
        if self._stops:
            self._jobs.put(lambda: self._score(message_id, turns, reply, reward_model))
            return
        if self._engine is None:
            return
        try:
            with self.scheduler.reply():
                reward = self._scores.of(self._engine, turns, reply, reward_model)
        except Exception:
            log.exception("A reply could not be scored")
            return
        self._emit(ReplyScored(message_id, reward))

    def _engine_of(self, version: str) -> "Engine":
        """The serving engine where it is that version, or else one beside it."""
        if self._engine is None or self.adapters is None:
            raise TuteeError(_("The model is not loaded, so it cannot answer."))
        if version == self._adapter:
            return self._engine
        if self._beside is None or self._beside[0] != version:
            self._beside = None  # the memory of one is freed before the next is loaded
            with self.scheduler.reply():
                engine = self._engine.with_adapter(self.adapters.path(version))
            self._beside = version, engine
        return self._beside[1]

    def _forget(self) -> None:
        self._beside = None

    def _write(self, request: _Request, engine: "Engine", version: str) -> ReplyDone:
        pieces: list[str] = []
        started = perf_counter()
        with self.scheduler.reply():
            for text in engine.stream(
                request.turns,
                request.sampling,
                request.seed,
                lambda: request.stop.is_set() or self._closing.is_set(),
            ):
                if not pieces:
                    started = perf_counter()
                pieces.append(text)
                self._emit(TokenChunk(request.id, text))
        last = engine.last
        assert last is not None  # set by an exhausted stream
        return ReplyDone(
            request_id=request.id,
            text="".join(pieces),
            stopped=last.stopped,
            truncated=last.truncated,
            tokens=last.tokens,
            seconds=perf_counter() - started,
            adapter=version,
            seed=request.seed,
            forgotten=last.forgotten,
        )

    def _swap(self, version: str) -> None:
        started = perf_counter()
        try:
            if self._engine is None or self.adapters is None:
                raise TuteeError(_("The model is not loaded, so its adapter cannot be changed."))
            # Built beside the old one, which answers on should this fail.
            with self.scheduler.reply():
                engine = self._engine.with_adapter(self.adapters.path(version))
        except Exception as error:
            self._emit(SwapFailed(version, as_tutee_error(error, _("Changing the adapter"))))
            return
        self._engine, self._adapter = engine, version
        self._emit(AdapterSwapped(version, perf_counter() - started))
