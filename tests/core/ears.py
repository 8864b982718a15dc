"""What the tests of the two threads share: a listener and a question."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from core.config import Config, SFTTuning, Tuning
from core.events import Event, ReplyDone
from core.runs.plan import Plan, make_plan
from core.workers.chat import ChatWorker
from store.records import ChatMessage, Instruction, Sampling

PATIENCE = 60.0
ASK = (ChatMessage(role="user", content="hello world"),)
GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=24)

E = TypeVar("E")


class Ears:
    """Collects events, and waits for the one that matters."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[Event] = SimpleQueue()
        self.heard: list[Event] = []
        self.react: Callable[[Event], None] = lambda event: None

    def __call__(self, event: Event) -> None:
        self.react(event)
        self.queue.put(event)

    def wait_for(self, kind: type[E]) -> E:
        while True:
            try:
                event = self.queue.get(timeout=PATIENCE)
            except Empty:
                raise AssertionError(f"no {kind.__name__} among {self.heard}") from None
            self.heard.append(event)
            if isinstance(event, kind):
                return event


def plan(chat: ChatWorker, epochs: int = 1) -> Plan:
    records = [
        Instruction(prompt=(ChatMessage(role="user", content=f"hello {n}"),), completion="positive")
        for n in range(8)
    ]
    assert chat.adapters is not None
    # A random base is no place to be kept near.
    tuning = Tuning(epochs=epochs, rehearsal=0, sft=SFTTuning(minimum_steps=1, learning_rate=0.02))
    config = Config(tuning=tuning)
    return make_plan(records, chat.adapters, config)


def greedy_reply(chat: ChatWorker, ears: Ears) -> str:
    chat.reply("r", ASK, GREEDY, seed=0)
    return ears.wait_for(ReplyDone).text
