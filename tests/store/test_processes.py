"""Two processes at one home, and one that is killed."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from store.errors import TuteeError
from store.paths import Paths
from store.records import Message, Verdict
from store.repository import Repository

HOLD = """
import sys
from pathlib import Path
from store.paths import locate
from store.repository import Repository
with Repository.open(locate(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""

RATE = """
import sys
from itertools import cycle
from pathlib import Path
from store.paths import locate
from store.repository import Repository
repository = Repository.open(locate(Path(sys.argv[1])))
for label in cycle([True, False]):
    repository.rate(sys.argv[2], label)
    print("rated", flush=True)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_a_second_writer_is_told_who_the_first_is(paths: Paths) -> None:
    with start(HOLD, paths.home) as holder:
        assert line(holder) == "held"
        with pytest.raises(TuteeError, match="Another Tutee") as caught:
            Repository.open(paths)
        assert f"(process {holder.pid})" in caught.value.title
        assert str(paths.home) in caught.value.title
        Repository.open(paths, write=False).close()
        holder.communicate("")
    assert holder.returncode == 0
    Repository.open(paths).close()


def test_a_killed_writer_holds_nothing(paths: Paths) -> None:
    with start(HOLD, paths.home) as holder:
        assert line(holder) == "held"
        holder.kill()
    with Repository.open(paths):
        assert paths.lock.read_text() == str(os.getpid())
    assert paths.lock.read_text() == ""


@pytest.mark.parametrize("acts", [1, 8, 21])
def test_a_kill_never_leaves_half_an_act(
    repository: Repository, reply: Message, paths: Paths, acts: int
) -> None:
    repository.close()
    with start(RATE, paths.home, reply.id) as rater:
        for _ in range(acts):
            assert line(rater) == "rated"
        rater.send_signal(signal.SIGKILL)
    with Repository.open(paths) as again:
        (verdict,) = again.verdicts()
        assert len(again.instructions()) == int(verdict.label)
        undone = 0
        while again.feedback(reply.id).undoable:
            records = again._ledger.about(reply.id)
            sizes = Counter(record.act for record in records)
            likes = {r.act for r in records if isinstance(r, Verdict) and r.label}
            assert all(size == (2 if act in likes else 1) for act, size in sizes.items())
            again.undo(reply.id)
            undone += 1
        assert undone >= acts
