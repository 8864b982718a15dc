"""Events from the threads of core to the app, through a function that any thread may call.

Tokens are collected for 60 ms and step reports thinned to ten a second, so that a fast model costs
the app few messages. There is no timer: a held event is sent with the next one of its kind, and any
other event sends it first, in order, so nothing is lost at an end.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Lock

from core.events import Event, StepReport, ThoughtChunk, TokenChunk

TOKEN_SECONDS = 0.06
STEP_SECONDS = 0.1

Post = Callable[[Event], object]


class Bridge:
    """Give `emit` to the workers; `connect` it to the app once that runs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._post: Post | None = None
        self._tokens: TokenChunk | ThoughtChunk | None = None
        self._step: StepReport | None = None
        self._tokens_sent = self._step_sent = float("-inf")

    def connect(self, post: Post) -> None:
        """Send events to `post` from now on; it must be safe to call from any thread."""
        self._post = post

    def emit(self, event: Event) -> None:
        """Take an event from a worker thread."""
        with self._lock:
            if isinstance(event, TokenChunk | ThoughtChunk):
                self._gather(event)
            elif isinstance(event, StepReport):
                self._thin(event)
            else:
                self._flush_tokens()
                self._flush_step()
                self._send(event)

    def _gather(self, chunk: TokenChunk | ThoughtChunk) -> None:
        held = self._tokens
        if type(held) is type(chunk) and held.request_id == chunk.request_id:
            chunk = replace(chunk, text=held.text + chunk.text)
        else:
            self._flush_tokens()
        self._tokens = chunk
        if self._clock() - self._tokens_sent >= TOKEN_SECONDS:
            self._flush_tokens()

    def _thin(self, report: StepReport) -> None:
        self._step = report
        if self._clock() - self._step_sent >= STEP_SECONDS:
            self._flush_step()

    def _flush_tokens(self) -> None:
        held, self._tokens = self._tokens, None
        if held is not None:
            self._tokens_sent = self._clock()
            self._send(held)

    def _flush_step(self) -> None:
        held, self._step = self._step, None
        if held is not None:
            self._step_sent = self._clock()
            self._send(held)

    def _send(self, event: Event) -> None:
        if self._post is not None:
            self._post(event)
