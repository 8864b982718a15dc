"""Two processes at one home, and one that is killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.errors import TuteeError
from store.paths import Paths
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the writers it kills")
def test_nothing_acknowledged_is_lost_by_two_hundred_kills(paths: Paths) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.store.killed", str(paths.home), "200"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    done = json.loads(ran.stdout)
    assert done["kills"] == 200
    assert done["messages"] >= 150
    assert done["ratings"] > 0
