"""The chat beside tuning: how fast replies are written, and how long they are waited for.

The app's own two threads on the built-in model, without a screen: replies with nothing else to do,
then replies a few seconds apart while SFT learns from corrections of film reviews, until it is
done. A reply waits for the micro-batch under way; then tuning waits for the reply.
"""

import queue
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from core.adapters.registry import Adapters
from core.config import Config
from core.events import (
    Event,
    ModelFailed,
    ModelReady,
    PassStarted,
    ReplyDone,
    ReplyFailed,
    TokenChunk,
    TuningDone,
    TuningFailed,
)
from core.runs.plan import Plan, make_plan
from core.runtime.library_logging import hush
from core.workers.chat import ChatWorker
from core.workers.tuning import TuningWorker
from store.paths import locate
from store.records import ChatMessage, Instruction, Sampling
from tests.bench.reviews import reviews

CORRECTIONS, ALONE, APART = 32, 5, 4.0
STORY = (
    ChatMessage(role="user", content="Write a long story about a lighthouse keeper and the sea."),
)
GREEDY = Sampling(temperature=0, max_new_tokens=64)


class Chat:
    """The two threads, and what they tell."""

    def __init__(self, home: Path) -> None:
        self.told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.worker = ChatWorker(self.told.put)
        self.tuner = TuningWorker(self.told.put, self.worker.scheduler)
        self.tuned: TuningDone | None = None
        self.steps = 0
        """Those that the pass said it would make."""
        self.worker.start("builtin", locate(None).cache, home)
        self.wait_for(ModelReady)

    def wait_for(self, *kinds: type) -> Event:
        """The next event of one of `kinds`."""
        while True:
            event = self.told.get()
            if isinstance(event, ModelFailed | ReplyFailed | TuningFailed):
                raise event.error
            if isinstance(event, TuningDone):
                self.tuned = event
            if isinstance(event, PassStarted):
                self.steps = event.steps
            if isinstance(event, kinds):
                return event

    def reply(self, number: int) -> tuple[float, float]:
        """Tokens a second once it is being written, and the seconds before that."""
        asked = time.perf_counter()
        self.worker.reply(str(number), STORY, GREEDY, 0)
        self.wait_for(TokenChunk)
        first = time.perf_counter() - asked
        done = self.wait_for(ReplyDone)
        assert isinstance(done, ReplyDone)
        return (done.tokens - 1) / done.seconds, first


def run() -> Iterator[dict[str, object]]:
    hush()
    with tempfile.TemporaryDirectory() as scratch:
        chat = Chat(Path(scratch))
        chat.reply(0)  # the first call of anything is slow
        alone = [chat.reply(number) for number in range(ALONE)]
        yield row("alone", alone, alone)
        adapters = chat.worker.adapters
        assert adapters is not None
        chat.tuner.start(plan(adapters))
        chat.wait_for(PassStarted)
        beside: list[tuple[float, float]] = []
        while chat.tuned is None:
            time.sleep(APART)  # a person reads
            beside.append(chat.reply(len(beside)))
            while not chat.told.empty():
                chat.wait_for(object)
        (done,) = chat.tuned.passes
        yield row(f"while SFT makes {done.steps} of {chat.steps} steps", beside, alone)


def plan(adapters: Adapters) -> Plan:
    taught = [
        Instruction(
            prompt=(ChatMessage(role="user", content=review.prompt),), completion=review.reply
        )
        for review in reviews("train.tsv", CORRECTIONS)
    ]
    return make_plan(taught, adapters, Config(), frozenset({"sft"}))


def row(
    name: str, replies: list[tuple[float, float]], alone: list[tuple[float, float]]
) -> dict[str, object]:
    speeds, firsts = zip(*replies, strict=True)
    speed, idle = median(speeds), median(speed for speed, _ in alone)
    return {
        "chat": name,
        "replies": len(replies),
        "tokens/s": f"{speed:.1f}",
        "of alone": f"{speed / idle:.0%}",
        "slowest": f"{min(speeds):.1f}",
        "waited for": f"{median(firsts):.2f} s",
        "at most": f"{max(firsts):.2f} s",
    }
