"""Kill a writer again and again at random moments, and look each time what is left of its work;
now and then another process reads along.

Run as a program of its own, so that the writers can be forked from a small process:
`python -m tests.store.killed HOME TIMES`. It writes what the writers got done.
"""

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from store.paths import Paths, locate
from store.records import Verdict
from store.repository import Repository


def main(home: Path, times: int) -> None:
    paths = locate(home)
    chance = random.Random(7)
    done = {"kills": 0, "messages": 0, "ratings": 0}
    everything: list[str] = []
    for number in range(times):
        at_work = number % 4 != 0
        along = number % 10 == 1
        acknowledged = killed_after(
            paths, chance.uniform(0.0, 0.05), at_work=at_work, read_along=along
        )
        done["kills"] += 1
        done["messages"] += sum(line.startswith("said") for line in acknowledged)
        done["ratings"] += sum(line.startswith("rated") for line in acknowledged)
        look(paths, acknowledged)
        everything += acknowledged
    look(paths, everything)
    sys.stdout.write(json.dumps(done))


def killed_after(
    paths: Paths, seconds: float, *, at_work: bool, read_along: bool = False
) -> list[str]:
    """Let a child write for a while and kill it; what it said it had done.

    Args:
        paths: The home.
        seconds: How long it has.
        at_work: Counted from its first act; if not, from its start, which hits its opening.
        read_along: Open the home for reading meanwhile; it must look whole.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        write(paths, writing)
    os.close(writing)
    if at_work:
        select.select([reading], [], [])
    if read_along:
        with Repository.open(paths, write=False) as reader:
            assert reader.notices == (), reader.notices
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the writer failed by itself: {status}"
    with os.fdopen(reading, encoding="utf-8") as pipe:
        return pipe.read().splitlines()


def write(paths: Paths, pipe: int) -> None:
    """Talk and rate for ever, and say so after each act; never returns."""
    try:
        repository = Repository.open(paths)
        while True:
            talk = repository.start_conversation("Be brief.")
            repository.add_message(talk.id, "user", "What is the capital of France?")
            reply = repository.add_message(talk.id, "assistant", "Lyon")
            os.write(pipe, f"said {reply.id}\n".encode())
            for number in range(12):
                repository.rate(reply.id, bool(number % 2), comment=str(number))
                os.write(pipe, f"rated {reply.id} {number}\n".encode())
    finally:
        os._exit(1)


def look(paths: Paths, acknowledged: list[str]) -> None:
    """Every act that was acknowledged is there, at most one more, and none in part."""
    last: dict[str, int] = {}
    for line in acknowledged:
        act, reply, *rest = line.split()
        last[reply] = int(rest[0]) if act == "rated" else -1
    with Repository.open(paths) as repository:
        assert repository.notices == (), repository.notices
        for reply, number in last.items():
            records = repository._index.about(reply)
            ratings = [int(r.comment) for r in records if isinstance(r, Verdict)]
            assert ratings in (list(range(number + 1)), list(range(number + 2))), (number, ratings)
            assert len(records) == len(ratings) + sum(number % 2 for number in ratings)
            assert len(repository.messages(repository.message(reply).conversation_id)) == 3


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
