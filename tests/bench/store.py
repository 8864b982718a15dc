"""The store at 100 to 100,000 records: what an act, an opening and a list cost as a home grows.

Each home holds `n` messages in conversations of ten, `n` judged replies, and, apart from it, `n`
imported records in a home of their own. Of acts the median/the worst of thirty is given. The
processor's time is given where it tells a busy machine from a slow program.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from store.paths import Paths, locate
from store.records import (
    ChatMessage,
    Conversation,
    ImportedConversation,
    Instruction,
    Message,
    Origin,
    Role,
    Sampling,
    Verdict,
)
from store.repository import Repository

SIZES = (100, 1_000, 10_000, 100_000)
ACTS, TALK = 30, 10
QUESTION, REPLY = "What is the sentiment of this review? " * 8, "It is positive, I think. " * 8
ORIGIN = Origin(model="builtin", adapter="v3", sampling=Sampling(), seed=7)


def run() -> list[dict[str, object]]:
    return [measured(size) for size in SIZES]


def measured(size: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        imported = importing(locate(Path(scratch) / "elsewhere"), list(instructions(size)))
        home = locate(Path(scratch) / "home")
        fill(home, size)
        started, busy = time.perf_counter(), time.process_time()
        with Repository.open(home) as repository:
            opened, busy = time.perf_counter() - started, time.process_time() - busy
            figures = acts(repository, home)
    return {
        "records": f"{size:,}",
        **figures,
        "open, s": round(opened, 2),
        "of it processor": round(busy, 2),
        "import, s": round(imported, 2),
    }


def importing(paths: Paths, records: list[Instruction]) -> float:
    with Repository.open(paths) as repository:
        return seconds(lambda: repository.add_imported(records))


def fill(paths: Paths, size: int) -> None:
    with Repository.open(paths) as repository:
        repository.add_imported((), chats(size // TALK))
        repository.restore_records(list(verdicts(size)))


def acts(repository: Repository, paths: Paths) -> dict[str, object]:
    """What is done while a person waits."""
    talk = repository.start_conversation("Be brief.")
    said, rated, sizes, listed = [], [], [], []
    for number in range(ACTS):
        role: Role = "assistant" if number % 2 else "user"
        said.append(seconds(partial(repository.add_message, talk.id, role, REPLY)))
    for message in [m for m in repository.messages(talk.id) if m.role == "assistant"]:
        for label in (True, False):
            rated.append(seconds(partial(repository.rate, message.id, label)))
            sizes.append(last_written(paths.records / "feedback").stat().st_size)
            listed.append(seconds(partial(look, repository)))
    return {
        "insert a message, ms": milliseconds(said),
        "rate, ms": milliseconds(rated),
        "KB a rate": round(statistics.median(sizes) / 1000),
        "list and count, ms": milliseconds(listed),
    }


def look(repository: Repository) -> object:
    """What the screens ask for after each act."""
    return (
        repository.conversations(),
        repository.records(),
        repository.trainable(),
        repository.counts(),
    )


def last_written(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)


def seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def milliseconds(times: list[float]) -> str:
    return f"{statistics.median(times) * 1000:.1f}/{max(times) * 1000:.1f}"


def instructions(count: int) -> Iterator[Instruction]:
    origin = Origin(source="import:bench")
    for number in range(count):
        prompt = (ChatMessage(role="user", content=f"{number}: {QUESTION}"),)
        yield Instruction(prompt=prompt, completion=REPLY, origin=origin)


def verdicts(count: int) -> Iterator[Verdict]:
    for number in range(count):
        yield Verdict(
            message_id=f"m{number}",
            conversation_id=f"c{number // TALK}",
            prompt=(ChatMessage(role="user", content=QUESTION),),
            completion=REPLY,
            label=bool(number % 2),
            origin=ORIGIN,
        )


def chats(count: int) -> Iterator[ImportedConversation]:
    for number in range(count):
        conversation = Conversation(title=f"Reviews {number}")
        messages: list[Message] = []
        for place in range(TALK):
            message = Message(
                conversation_id=conversation.id,
                parent_id=messages[-1].id if messages else None,
                role="assistant" if place % 2 else "user",
                content=REPLY if place % 2 else QUESTION,
                origin=ORIGIN if place % 2 else None,
            )
            messages.append(message)
        yield ImportedConversation(conversation, tuple(messages))
