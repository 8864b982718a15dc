"""Two processes at one home, and one that is killed."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from store.errors import TuteeError
from store.paths import Paths
from store.repository import Repository

pytestmark = pytest.mark.waits

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


def test_a_lock_that_is_deleted_lets_nobody_write_beside_another(paths: Paths) -> None:
    with Repository.open(paths) as first:
        talk = first.start_conversation()
        first.add_message(talk.id, "user", "Hi")
        paths.lock.unlink()
        with Repository.open(paths) as second:
            with pytest.raises(TuteeError, match=r"lock .* was removed"):
                first.add_message(talk.id, "assistant", "Ho")
            second.add_message(talk.id, "assistant", "Hello")
            first.close()
            assert paths.lock.read_text() == str(os.getpid()), "it is the other's"
            second.add_message(talk.id, "user", "And?")
    with Repository.open(paths) as opened:
        assert [message.content for message in opened.messages(talk.id)] == ["Hi", "Hello", "And?"]


def test_a_lock_that_cannot_name_its_holder_holds(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with Repository.open(paths), pytest.raises(TuteeError, match="Another Tutee is using"):
        Repository.open(paths)


def ran(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A test's own program, to its end."""
    return subprocess.run(
        [sys.executable, "-m", f"tests.store.{module}", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the writers it kills")
def test_nothing_acknowledged_is_lost_by_two_hundred_kills(paths: Paths) -> None:
    killed = ran("killed", paths.home, 200)
    assert killed.returncode == 0, killed.stderr
    done = json.loads(killed.stdout)
    assert done["kills"] == 200
    assert done["messages"] >= 150
    assert done["ratings"] > 0


def test_nothing_acknowledged_is_lost_on_a_disk_that_is_full(tmp_path: Path) -> None:
    """A real disk of one megabyte, where the system lets a process mount one for itself."""
    mounting = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    small = f"mount -t tmpfs -o size=1m tmpfs '{tmp_path}'"
    if not shutil.which("unshare") or subprocess.run([*mounting, small], check=False).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    filling = f"'{sys.executable}' -m tests.store.filling '{tmp_path}/home'"
    full = subprocess.run(
        [*mounting, f"{small} && {filling}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == 0, full.stderr
    assert int(full.stdout) > 50
