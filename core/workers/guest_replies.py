"""Replies to other programs, which share the model with the chat and come after it.

They are generated one at a time. While one is, the chat may want the model: the reply then gives
way between two tokens, and goes on when nothing of the chat waits any more. Its tokens so far are
prefilled again, which the prompt cache makes cheap.

Left out on purpose: replies to several programs in one batch. Each would have to wait for the
longest.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING

from core.events import ReplyDone, ReplyFailed, TokenChunk
from core.runtime.failures import as_tutee_error
from core.runtime.scheduler import Scheduler
from core.workers.job_queue import JobQueue, Lane
from core.workers.recalling import Recalling
from core.workers.serving_model import ServingModel
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Record, Sampling

if TYPE_CHECKING:
    from core.recall import Example

GuestEvent = TokenChunk | ReplyDone | ReplyFailed


@dataclass(frozen=True)
class RawPrompt:
    """A prompt that is not put into the chat template."""

    content: str | tuple[int, ...]
    """Text or tokens."""


@dataclass(frozen=True, eq=False)
class GuestRequest:
    id: str
    prompt: tuple[ChatMessage, ...] | RawPrompt
    version: str
    sampling: Sampling
    seed: int
    emit: Callable[[GuestEvent], None]
    """Gets the pieces of the reply and then one `ReplyDone` or `ReplyFailed`, in the thread that
    generates it; must return at once."""
    records: Sequence[Record] = ()
    """What may be put before the last question as examples (`core.recall`)."""
    stop: Flag = field(default_factory=Flag)
    """Ends the reply at its next token."""


_Reply = Generator[None, None, ReplyDone]
"""Stops where it gives way, and returns its last event."""


class GuestReplies:
    """The requests of other programs on one model; runs in the thread of `jobs`."""

    def __init__(
        self, jobs: JobQueue, scheduler: Scheduler, model: ServingModel, recalling: Recalling
    ) -> None:
        self._jobs = jobs
        self._scheduler = scheduler
        self._model = model
        self._recalling = recalling
        self._waiting: deque[GuestRequest] = deque()
        self._lock = Lock()
        """Guards `_waiting`."""
        self._begun: tuple[GuestRequest, _Reply] | None = None
        """The reply that gave way."""

    def put(self, request: GuestRequest) -> None:
        """Queue a request; may be called from any thread."""
        with self._lock:
            self._waiting.append(request)
        self._jobs.put(self._next, Lane.GUEST)

    def withdraw(self, request: GuestRequest) -> None:
        """Forget a request, or end its reply at the next token; may be called from any thread."""
        request.stop.set()
        with self._lock, suppress(ValueError):
            self._waiting.remove(request)

    def abandon(self) -> None:
        """Fail the reply that gave way, so that the memory of its model can be freed."""
        if self._begun is None:
            return
        request, reply = self._begun
        self._begun = None
        reply.close()
        request.emit(ReplyFailed(request.id, TuteeError(_("The model was replaced meanwhile."))))

    def _next(self) -> None:
        with self._lock:
            request = self._waiting.popleft() if self._waiting else None
        if request is not None:
            self._advance(request, self._reply(request))

    def _continue(self) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            self._advance(*begun)

    def _advance(self, request: GuestRequest, reply: _Reply) -> None:
        try:
            with self._scheduler.reply():
                next(reply)
        except StopIteration as end:
            request.emit(end.value)
        except Exception as error:
            request.emit(ReplyFailed(request.id, as_tutee_error(error, _("The reply"))))
        else:
            self._begun = request, reply
            self._jobs.put(self._continue, Lane.GUEST_BEGUN)

    def _reply(self, request: GuestRequest) -> _Reply:
        def should_stop() -> bool:
            return request.stop.is_set() or self._jobs.closing.is_set()

        engine = self._model.engine_for(request.version)
        prompt = request.prompt
        options = (request.sampling, request.seed, should_stop, self._jobs.chat_waits)
        if isinstance(prompt, RawPrompt):
            recalled: tuple[Example, ...] = ()
            stream = engine.complete(prompt.content, *options)
        else:
            recalled, examples = self._recalling.found(prompt, request.records, request.version)
            stream = engine.stream(prompt, *options, examples)
        pieces: list[str] = []
        started = perf_counter()
        for text in stream:
            if not text:
                yield
                continue
            if not pieces:
                started = perf_counter()
            pieces.append(text)
            request.emit(TokenChunk(request.id, text))
        last = engine.last
        assert last is not None  # set by an exhausted stream
        return ReplyDone(
            request_id=request.id,
            text="".join(pieces),
            stopped=last.stopped,
            truncated=last.truncated,
            tokens=last.tokens,
            seconds=perf_counter() - started,
            adapter=request.version,
            seed=request.seed,
            forgotten=last.forgotten,
            prompt_tokens=last.prompt_tokens,
            recalled=tuple(one.record_id for one in recalled) if last.examples else (),
        )
