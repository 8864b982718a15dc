"""What the chat's thread does with the model: reply, prefill, rank several replies, score one.

Each job runs in that thread, takes its turn with training, and returns an event or None.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from time import perf_counter
from typing import TYPE_CHECKING

from core.events import (
    Candidate,
    CandidatesRanked,
    Event,
    ReplyDone,
    ReplyFailed,
    ReplyScored,
    ThoughtChunk,
    TokenChunk,
)
from core.runtime.failures import as_tutee_error
from core.runtime.scheduler import Cancelled, Scheduler
from core.training.run_control import RunControl
from core.workers.recalling import Recalling
from core.workers.serving_model import ServingModel
from data.thoughts import ThoughtStream, split_thoughts
from data.tokenization import encode
from store.i18n import _
from store.records import ChatMessage, Record, Sampling

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReplyRequest:
    id: str
    messages: tuple[ChatMessage, ...]
    sampling: Sampling
    seed: int
    stop: Flag
    """Ends the reply at its next token."""
    records: Sequence[Record] = ()
    """The records that may be recalled, oldest first."""


class ReplyJobs:
    """The jobs on one model.

    Args:
        emit: Gets the pieces of a reply while it is generated.
        closing: Ends any job.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        scheduler: Scheduler,
        model: ServingModel,
        recalling: Recalling,
        closing: Callable[[], bool],
    ) -> None:
        self._emit = emit
        self._scheduler = scheduler
        self._model = model
        self._closing = closing
        self._recalling = recalling

    def reply(self, request: ReplyRequest, version: str | None = None) -> ReplyDone | ReplyFailed:
        """Stream a reply by `version`, or else by the one in use."""
        try:
            return self._stream(request, version or self._model.version)
        except BaseException as error:
            return ReplyFailed(request.id, as_tutee_error(error, _("The reply")))

    def best_of(
        self, request: ReplyRequest, given: str, reward_model: Path, count: int
    ) -> CandidatesRanked | ReplyFailed | None:
        """Generate `count` replies and rank them and the `given` one; None if it was stopped."""
        try:
            return self._ranked(request, given, reward_model, count)
        except Cancelled:
            return None
        except BaseException as error:
            return ReplyFailed(request.id, as_tutee_error(error, _("Drawing replies")))

    def score(
        self, message_id: str, messages: tuple[ChatMessage, ...], reply: str, reward_model: Path
    ) -> ReplyScored | None:
        """Score `reply` to `messages`; None without a model."""
        engine = self._model.engine
        if engine is None:
            return None
        with self._scheduler.reply():
            scorer = self._model.reward_scorer
            return ReplyScored(message_id, scorer.score(engine, messages, reply, reward_model))

    def prefill(
        self,
        messages: tuple[ChatMessage, ...],
        sampling: Sampling,
        should_stop: Callable[[], bool],
        records: Sequence[Record] = (),
    ) -> None:
        """Prefill `messages`, and index the records that the next question may recall."""
        engine = self._model.engine
        if engine is None or should_stop():
            return
        with self._scheduler.reply():
            engine.prefill(messages, sampling.max_new_tokens, should_stop)
        self._recalling.found((), records, self._model.version)

    def _stream(self, request: ReplyRequest, version: str) -> ReplyDone:
        engine = self._model.engine_for(version)
        pieces: list[str] = []
        recalled, examples = self._recalling.found(request.messages, request.records, version)
        split, thinking = ThoughtStream(), 0.0
        started = perf_counter()
        with self._scheduler.reply():
            for text in engine.stream(
                request.messages,
                request.sampling,
                request.seed,
                self._should_stop(request),
                examples=examples,
            ):
                if not pieces:
                    started = perf_counter()
                pieces.append(text)
                thought, said = split.push(text)
                if thought:
                    thinking = perf_counter() - started
                self._emit_pieces(request.id, thought, said)
            self._emit_pieces(request.id, *split.flush())
        thoughts, reply = split_thoughts("".join(pieces))
        last = engine.last
        assert last is not None  # set by an exhausted stream
        return ReplyDone(
            request_id=request.id,
            text=reply,
            stopped=last.stopped,
            truncated=last.truncated,
            tokens=last.tokens,
            seconds=perf_counter() - started,
            adapter=version,
            seed=request.seed,
            forgotten=last.forgotten,
            prompt_tokens=last.prompt_tokens,
            recalled=tuple(one.record_id for one in recalled) if last.examples else (),
            thoughts=thoughts,
            thought_seconds=thinking if thoughts else 0.0,
        )

    def _emit_pieces(self, request_id: str, thought: str, said: str) -> None:
        if thought:
            self._emit(ThoughtChunk(request_id, thought))
        if said:
            self._emit(TokenChunk(request_id, said))

    def _ranked(
        self, request: ReplyRequest, given: str, reward_model: Path, count: int
    ) -> CandidatesRanked:
        from core.training.reward import Scorer

        engine = self._model.loaded_engine()
        messages = request.messages
        with self._scheduler.reply():
            generated = engine.candidates(
                messages, request.sampling, request.seed, count, self._should_stop(request)
            )
            texts = [text for text in dict.fromkeys((given, *generated)) if text.strip()]
            # A run control with a scheduler of its own: this thread holds the shared one.
            scorer = Scorer(engine.folder, reward_model, RunControl(cancelled=request.stop))
            rewards = scorer([encode(engine.tokenizer, messages, text) for text in texts])
        ranked = sorted(zip(rewards, texts, strict=True), key=lambda pair: -pair[0])
        return CandidatesRanked(
            request_id=request.id,
            candidates=tuple(Candidate(text, reward) for reward, text in ranked),
            adapter=self._model.version,
            sampling=request.sampling,
            seed=request.seed,
        )

    def _should_stop(self, request: ReplyRequest) -> Callable[[], bool]:
        return lambda: request.stop.is_set() or self._closing()
