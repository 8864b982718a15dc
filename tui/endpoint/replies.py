"""The model's replies as an event loop waits for them: each bounded, and freed when nobody waits.

The worker's thread generates them; this is the bridge from its events to asyncio.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.events import ReplyDone, ReplyFailed
from core.workers.guest_replies import GuestEvent, GuestRequest, RawPrompt
from store.records import ChatMessage, Record, Sampling, new_id
from tui.endpoint.api_error import ApiError

if TYPE_CHECKING:
    from core.workers.chat import ChatWorker

MAX_OPEN = 64
"""Requests that are answered or wait; more are told to come again."""


@dataclass
class GuestReply:
    """A reply in progress; whoever asked for it must `close` it, done or not."""

    replies: "Replies"
    request: GuestRequest
    events: "asyncio.Queue[GuestEvent]"
    open: bool = True

    async def next(self) -> GuestEvent:
        """Wait for the next event; `ReplyDone` or `ReplyFailed` is the last."""
        return await self.events.get()

    async def whole(self) -> ReplyDone | ReplyFailed:
        """Wait for the last event."""
        while True:
            event = await self.next()
            if isinstance(event, ReplyDone | ReplyFailed):
                return event

    def close(self) -> None:
        """Free its turn; calling it again is safe."""
        if self.open:
            self.open = False
            self.replies.count -= 1
            self.replies.worker.withdraw(self.request)


class Replies:
    """Asks the worker, for at most `MAX_OPEN` requests at a time; used in one event loop."""

    def __init__(self, worker: "ChatWorker") -> None:
        self.worker = worker
        self.count = 0
        """Requests that are answered or wait."""

    def ask(
        self,
        prompt: tuple[ChatMessage, ...] | RawPrompt,
        version: str,
        sampling: Sampling,
        seed: int,
        records: Sequence[Record] = (),
    ) -> GuestReply:
        """Ask for a reply of `version`, which may recall `records`.

        Raises:
            ApiError: too many requests wait already.
        """
        if self.count >= MAX_OPEN:
            raise ApiError(429, "Too many requests are waiting; try again later.", "queue_full")
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[GuestEvent] = asyncio.Queue()

        def emit(event: GuestEvent) -> None:
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(events.put_nowait, event)

        request = GuestRequest(new_id(), prompt, version, sampling, seed, emit, records)
        self.count += 1
        self.worker.serve(request)
        return GuestReply(self, request, events)
