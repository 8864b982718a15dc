"""The thread that answers; `core.workers.tuning` has the one that trains.

Only these two touch tensors. Both take plain calls that return at once, and report through events.
They are daemon threads: `close` asks them to stop and waits a bounded time, because a thread inside
a long kernel cannot be stopped from outside, and quitting must not wait for it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

from core.adapters.registry import Adapters
from core.config import Serving
from core.events import Event
from core.runtime.scheduler import Scheduler
from core.workers.guest_replies import GuestReplies, GuestRequest, RawPrompt
from core.workers.job_queue import JobQueue
from core.workers.recalling import Recalling
from core.workers.reply_jobs import ReplyJobs, ReplyRequest
from core.workers.serving_model import ServingModel
from store.records import ChatMessage, Record, Sampling

Emit = Callable[[Event], None]

_BEST_OF_TEMPERATURE = 0.8
"""The lowest temperature for replies to choose from: alike replies leave nothing to choose."""


def _request(
    id_: str, messages: tuple[ChatMessage, ...], sampling: Sampling, seed: int, stop: Flag
) -> ReplyRequest:
    """Make a request; a seed set in the sampling settings overrides `seed`."""
    seed = seed if sampling.seed is None else sampling.seed
    return ReplyRequest(id_, messages, sampling, seed, stop)


class ChatWorker:
    """Queues what the chat asks of its model, in the order of the calls.

    Replies of the chat go before answers of other versions and scores, and all of these before the
    replies to other programs.
    """

    def __init__(
        self, emit: Emit, scheduler: Scheduler | None = None, serving: Serving | None = None
    ) -> None:
        self.scheduler = scheduler or Scheduler()
        self._emit = emit
        self._jobs = JobQueue("tutee-chat")
        closing = self._jobs.closing.is_set
        self._model = ServingModel(emit, self.scheduler, serving or Serving(), closing)
        recalling = Recalling(self._model)
        self._replies = ReplyJobs(emit, self.scheduler, self._model, recalling, closing)
        self._guests = GuestReplies(self._jobs, self.scheduler, self._model, recalling)
        self._pending: deque[Flag] = deque()
        """The stop flags of replies that are not done, the current one first."""
        self._to_prefill: tuple[ChatMessage, ...] = ()
        self._stop_answers = Flag()
        """Ends the answers and candidates asked for before it was set."""

    @property
    def adapters(self) -> Adapters | None:
        """The versions of the model in use; None until it is loaded."""
        return self._model.adapters

    def start(self, spec: str, cache: Path, models_dir: Path, adapter: str | None = None) -> None:
        """Find and load the model `spec`, with `adapter` or else the home's active one.

        It replaces the model in use once the replies asked for are done; if it cannot be loaded,
        the model in use comes back.
        """
        self._jobs.start()
        self._replace_model(lambda: self._model.load(spec, cache, models_dir, adapter))

    def serve_as(self, serving: Serving) -> None:
        """Keep the weights as in `serving` from the next reply on, which loads the model again."""
        self._replace_model(lambda: self._model.reload(serving))

    def check(self, prompt: tuple[ChatMessage, ...] | RawPrompt, sampling: Sampling) -> None:
        """Check that the last message or the raw prompt can be answered; not known while a model is
        loading.

        May be called from any thread: it only counts tokens.

        Raises:
            TuteeError: it does not fit into the model's context.
        """
        engine = self._model.engine
        if engine is None:
            return
        if isinstance(prompt, RawPrompt):
            engine.raw_prompt(prompt.content, sampling.max_new_tokens)
        else:
            engine.check(prompt, sampling.max_new_tokens)

    def context_use(self, messages: tuple[ChatMessage, ...]) -> int | None:
        """Count the tokens of `messages` in the context; None while a model is loading.

        May be called from any thread, as `check`.
        """
        engine = self._model.engine
        return engine.context_use(messages) if engine is not None else None

    def reply(
        self,
        request_id: str,
        messages: tuple[ChatMessage, ...],
        sampling: Sampling,
        seed: int,
        records: Sequence[Record] = (),
    ) -> None:
        """Stream the reply of the version in use.

        Args:
            records: Those that may be recalled (`core.recall`), oldest first.
        """
        request = replace(_request(request_id, messages, sampling, seed, Flag()), records=records)
        self._pending.append(request.stop)
        self._jobs.put(lambda: self._reply(request))

    def prefill(
        self,
        messages: tuple[ChatMessage, ...],
        sampling: Sampling,
        records: Sequence[Record] = (),
    ) -> None:
        """Prefill `messages` before the question after them is sent; cheap to call often.

        Replies go first, and only the latest call counts.
        """

        def should_stop() -> bool:
            overtaken = self._to_prefill is not messages or bool(self._pending)
            return overtaken or self._jobs.closing.is_set()

        self._to_prefill = messages
        self._jobs.put(lambda: self._replies.prefill(messages, sampling, should_stop, records))

    def stop_reply(self) -> None:
        """End the first reply that is not done at its next token; the others go on."""
        with suppress(IndexError):
            self._pending[0].set()

    def answer(
        self,
        request_id: str,
        version: str,
        messages: tuple[ChatMessage, ...],
        sampling: Sampling,
        seed: int,
    ) -> None:
        """Stream the reply of `version`, whichever version the chat uses.

        Another version than the chat's is loaded beside it, one at a time, until `stop_answers`.
        """
        request = _request(request_id, messages, sampling, seed, self._stop_answers)
        self._after_replies(lambda: self._answer(request, version))

    def serve(self, request: GuestRequest) -> None:
        """Reply to another program whenever the chat does not want the model.

        The events go to the request, not to the chat. May be called from any thread.
        """
        self._guests.put(request)

    def withdraw(self, request: GuestRequest) -> None:
        """End the reply to another program, or forget the request if it still waits."""
        self._guests.withdraw(request)

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
        """Generate `count` replies, and rank them and the `given` one with a reward model.

        The temperature is at least 0.8. `stop_answers` ends this too.
        """
        temperature = max(sampling.temperature, _BEST_OF_TEMPERATURE)
        sampling = sampling.model_copy(update={"temperature": temperature})
        request = _request(request_id, messages, sampling, seed, self._stop_answers)
        self._jobs.put(
            lambda: self._report(
                self._replies.best_of(request, given, reward_model, count), request.stop
            )
        )

    def score(
        self, message_id: str, messages: tuple[ChatMessage, ...], reply: str, reward_model: Path
    ) -> None:
        """Score a reply of the chat; no event follows if it cannot be scored."""
        self._after_replies(
            lambda: self._report(self._replies.score(message_id, messages, reply, reward_model))
        )

    def stop_answers(self) -> None:
        """End all `answer` and `best_of` without further events, and free their memory."""
        self._stop_answers.set()
        self._stop_answers = Flag()
        self._jobs.put(self._model.free_beside)

    def swap(self, version: str) -> None:
        """Use adapter `version` from the next reply on."""
        self._jobs.put(lambda: self._model.swap(version))

    def close(self, timeout: float) -> bool:
        """Stop, drop what waits, and return whether the thread ended within `timeout` seconds."""
        return self._jobs.close(timeout)

    def _replace_model(self, job: Callable[[], None]) -> None:
        def run() -> None:
            self._guests.abandon()
            job()

        self._jobs.put(run)

    def _reply(self, request: ReplyRequest) -> None:
        event = self._replies.reply(request)
        self._pending.popleft()
        self._emit(event)

    def _answer(self, request: ReplyRequest, version: str) -> None:
        if not request.stop.is_set():
            self._report(self._replies.reply(request, version), request.stop)

    def _report(self, event: Event | None, stop: Flag | None = None) -> None:
        if event is not None and not (stop is not None and stop.is_set()):
            self._emit(event)

    def _after_replies(self, job: Callable[[], None]) -> None:
        """Queue `job`, and again behind any replies of the chat that are waiting by then."""

        def run() -> None:
            if self._pending:
                self._after_replies(job)
            else:
                job()

        self._jobs.put(run)
