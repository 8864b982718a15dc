"""The endpoint: OpenAI's API over the user's own model, as an ASGI application.

The names of models are those of the adapter versions: `active` (also without a name), `base`, `v1`
and so on, and their labels. A conversation without a system message gets the one of the settings,
as in the chat, because that is what the versions were trained with.

Left out on purpose: tools, JSON schemas and log probabilities (refused by `tui.endpoint.requests`),
and CORS: no web page may use the endpoint (`tui.endpoint.gatekeeper`).
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from core.adapters.manifest import BASE
from core.config import Config
from core.events import ReplyDone, ReplyFailed, TokenChunk
from core.workers.guest_replies import GuestEvent, RawPrompt
from data.thoughts import split_thoughts
from data.training_split import with_system
from store.errors import TuteeError
from store.feedback import Feedback
from store.records import ChatMessage, Origin, Record
from tui.endpoint import completions
from tui.endpoint.api_error import ApiError
from tui.endpoint.completions import SOURCE, Completion, RecentCompletions
from tui.endpoint.gatekeeper import Gatekeeper
from tui.endpoint.replies import GuestReply, Replies
from tui.endpoint.requests import (
    ChatRequest,
    CompletionRequest,
    FeedbackRequest,
    Generation,
    invalid,
)
from tui.endpoint.shapes import ChatShape, TextShape
from tui.services import random_seed

if TYPE_CHECKING:
    from core.adapters.registry import Adapters
    from core.workers.chat import ChatWorker

ACTIVE = "active"
"""The name of whichever version is active."""
MAX_BODY = 4 * 2**20
"""Bytes of a request's body."""
_BODY_SECONDS = 30.0
"""Time in which a body must arrive."""
_CLIENT_GONE = 499
"""Status of a response that nobody reads; never sent."""

_B = TypeVar("_B", ChatRequest, CompletionRequest, FeedbackRequest)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Served:
    """One answered request, for the user to see who asks."""

    client: str
    """Address, and what the program calls itself."""
    version: str
    prompt_tokens: int
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Deps:
    """What the endpoint depends on.

    `write_feedback` runs in a thread of its own, one call at a time; it raises `TuteeError` or
    `ApiError` where it cannot write. `on_served` is called in the server's thread, and must return
    at once.
    """

    worker: "ChatWorker"
    config: Callable[[], Config]
    write_feedback: Callable[[Completion, FeedbackRequest], Feedback]
    on_served: Callable[[Served], None] = lambda served: None
    records: Callable[[], Sequence[Record]] = lambda: ()
    """What a reply may recall; called in a thread of its own."""


def application(deps: Deps, key: str | None, local: bool) -> Starlette:
    """Return the application.

    Args:
        key: The key that requests must carry, if any.
        local: It listens on this machine only.
    """
    endpoint = _Endpoint(deps)
    routes = [
        Route("/health", endpoint.health),
        Route("/v1/models", endpoint.models),
        Route("/v1/models/{name:path}", endpoint.model),
        Route("/v1/chat/completions", endpoint.chat, methods=["POST"]),
        Route("/v1/completions", endpoint.complete, methods=["POST"]),
        Route("/v1/feedback", endpoint.feedback, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {
        ApiError: lambda request, error: _error(error),
        TuteeError: lambda request, error: _error(ApiError(500, str(error), "internal_error")),
        HTTPException: lambda request, error: _error(_from_http(error)),
        Exception: lambda request, error: _error(
            ApiError(500, "An unexpected error; Tutee's log has the details.", "internal_error")
        ),
    }
    gate = Middleware(Gatekeeper, key=key, local=local)
    return Starlette(routes=routes, exception_handlers=handlers, middleware=[gate])


class _Endpoint:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._replies = Replies(deps.worker)
        self._recent = RecentCompletions()
        self._writing = asyncio.Lock()
        self._started = int(time.time())

    # -- what there is ---------------------------------------------------------------------------

    async def health(self, request: Request) -> Response:
        self._adapters()
        return JSONResponse({"status": "ok", "open_requests": self._replies.count})

    async def models(self, request: Request) -> Response:
        adapters = self._adapters()
        data = [self._entry(ACTIVE, self._started), self._entry(BASE, self._started)]
        data += [
            self._entry(manifest.version, int(manifest.created.timestamp()))
            for manifest in adapters.versions()
        ]
        return JSONResponse({"object": "list", "data": data})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        version = self._version(name)
        created = self._started
        if version != BASE:
            created = int(self._adapters().manifest(version).created.timestamp())
        return JSONResponse(self._entry(name, created))

    def _entry(self, name: str, created: int) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": created, "owned_by": "tutee"}

    def _adapters(self) -> "Adapters":
        adapters = self._deps.worker.adapters
        if adapters is None:
            raise ApiError(503, "The model is still loading.", "loading")
        return adapters

    def _version(self, name: str | None) -> str:
        """Return the version that a request names."""
        adapters = self._adapters()
        if name in (None, "", ACTIVE):
            return adapters.active()
        assert name is not None
        try:
            manifest = adapters.manifest(name)
        except TuteeError as error:
            raise ApiError(404, str(error), "model_not_found", "model") from error
        if manifest.kind != "adapter":
            raise ApiError(404, f"{name} cannot write replies.", "model_not_found", "model")
        return manifest.version

    # -- replies ---------------------------------------------------------------------------------

    async def chat(self, request: Request) -> Response:
        body = await _parsed(request, ChatRequest)
        system = self._deps.config().chat.system_prompt
        messages = with_system(body.prompt(), system)
        return await self._answer(request, body, messages, ChatShape)

    async def complete(self, request: Request) -> Response:
        body = await _parsed(request, CompletionRequest)
        return await self._answer(request, body, body.raw(), TextShape)

    async def _answer(
        self,
        request: Request,
        body: Generation,
        prompt: tuple[ChatMessage, ...] | RawPrompt,
        kind: type[ChatShape] | type[TextShape],
    ) -> Response:
        version = self._version(body.model)
        sampling = body.sampling(self._deps.config().sampling)
        seed = random_seed() if sampling.seed is None else sampling.seed
        shape = kind(body.model or ACTIVE)
        records: Sequence[Record] = ()
        if not isinstance(prompt, RawPrompt) and self._deps.config().chat.recall:
            records = await run_in_threadpool(self._deps.records)
        try:
            await run_in_threadpool(self._deps.worker.check, prompt, sampling)
        except TuteeError as error:
            raise ApiError(400, str(error), "context_length_exceeded", "messages") from error
        began = time.monotonic()
        reply = self._replies.ask(prompt, version, sampling, seed, records)

        def finished(done: ReplyDone) -> None:
            if not isinstance(prompt, RawPrompt):
                folder = self._adapters().folder
                origin = Origin(
                    source=SOURCE,
                    model=folder.id,
                    revision=folder.revision,
                    adapter=version,
                    sampling=sampling,
                    seed=seed,
                    forgotten=done.forgotten,
                    recalled=done.recalled,
                )
                asked, text = _exchange(prompt, split_thoughts(done.text)[1])
                self._recent.add(
                    Completion(shape.id, asked, text, origin, done.tokens, done.seconds)
                )
            seconds = time.monotonic() - began
            self._deps.on_served(
                Served(_client(request), version, done.prompt_tokens, done.tokens, seconds)
            )

        if body.stream:
            return await self._streamed(request, reply, shape, body.include_usage, finished)
        try:
            last = await _unless_gone(request, reply.whole())
        finally:
            reply.close()
        if last is None:
            return Response(status_code=_CLIENT_GONE)
        done = _done(last)
        finished(done)
        return JSONResponse(shape.whole(done))

    async def _streamed(
        self,
        request: Request,
        reply: GuestReply,
        shape: ChatShape | TextShape,
        include_usage: bool,
        finished: Callable[[ReplyDone], None],
    ) -> Response:
        # The response begins with the first piece, so that an error before it has its status.
        first: GuestEvent | None = None
        try:
            first = await _unless_gone(request, reply.next())
            if isinstance(first, ReplyFailed):
                raise _failure(first)
        finally:
            if first is None or isinstance(first, ReplyFailed):
                reply.close()
        if first is None:
            return Response(status_code=_CLIENT_GONE)
        events = _events(shape, reply, first, include_usage, finished)
        return _ReplyResponse(events, reply)

    # -- feedback --------------------------------------------------------------------------------

    async def feedback(self, request: Request) -> Response:
        body = await _parsed(request, FeedbackRequest)
        completion = self._recent.get(body.id)
        completions.check(completion, body)
        async with self._writing:
            try:
                now = await run_in_threadpool(self._deps.write_feedback, completion, body)
            except TuteeError as error:
                raise ApiError(400, str(error), "feedback_refused") from error
        return JSONResponse(
            {
                "id": body.id,
                "object": "feedback",
                "label": now.label,
                "reasons": list(now.reasons),
                "comment": now.comment,
                "correction": now.correction,
            }
        )


# -- requests --------------------------------------------------------------------------------------


async def _parsed(request: Request, kind: type[_B]) -> _B:
    """Read the body.

    Raises:
        ApiError: it is too large, too slow, or not what it should be.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise ApiError(413, f"The body exceeds {MAX_BODY} bytes.", "body_too_large")
    except TimeoutError as error:
        raise ApiError(408, "The body did not arrive in time.", "timeout") from error
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as error:
        raise invalid(error) from error


async def _unless_gone(request: Request, work: Coroutine[Any, Any, _T]) -> _T | None:
    """Return the result of `work`, or None as soon as the client disconnects."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _exchange(prompt: tuple[ChatMessage, ...], reply: str) -> tuple[tuple[ChatMessage, ...], str]:
    """Return what was asked and the whole reply, which the client may have begun itself."""
    if prompt[-1].role != "assistant":
        return prompt, reply
    return prompt[:-1], prompt[-1].content + reply


def _client(request: Request) -> str:
    address = request.client.host if request.client else "?"
    program = request.headers.get("user-agent", "").partition(" ")[0][:40]
    return f"{address} {program}".strip()


# -- responses -------------------------------------------------------------------------------------


class _ReplyResponse(StreamingResponse):
    """A stream of events that frees the reply's turn however it ends."""

    def __init__(self, events: AsyncIterator[str], reply: GuestReply) -> None:
        super().__init__(
            events, media_type="text/event-stream", headers={"cache-control": "no-cache"}
        )
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reply.close()


async def _events(
    shape: ChatShape | TextShape,
    reply: GuestReply,
    first: GuestEvent,
    include_usage: bool,
    finished: Callable[[ReplyDone], None],
) -> AsyncIterator[str]:
    event = first
    for chunk in shape.opening():
        yield _sse(chunk)
    while isinstance(event, TokenChunk):
        for chunk in shape.pieces(event.text):
            yield _sse(chunk)
        event = await reply.next()
    if isinstance(event, ReplyFailed):
        yield _sse(_failure(event).body())
        return
    for chunk in shape.closing(event):
        yield _sse(chunk)
    if include_usage:
        yield _sse(shape.usage_chunk(event))
    finished(event)
    yield "data: [DONE]\n\n"


def _sse(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _done(event: ReplyDone | ReplyFailed) -> ReplyDone:
    if isinstance(event, ReplyFailed):
        raise _failure(event)
    return event


def _failure(event: ReplyFailed) -> ApiError:
    return ApiError(500, str(event.error), "generation_failed")


def _error(error: ApiError) -> Response:
    headers = {"retry-after": "2"} if error.status in (429, 503) else None
    return JSONResponse(error.body(), error.status, headers)


def _from_http(error: HTTPException) -> ApiError:
    codes = {404: "not_found", 405: "method_not_allowed"}
    return ApiError(error.status_code, error.detail, codes.get(error.status_code, "http_error"))
