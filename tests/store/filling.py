"""Rate on a real disk until it is full, look what is there, make room and go on; then fill the disk
to its last byte and delete everything.

Run as a program of its own, on a small disk: `python -m tests.store.filling HOME`. It writes how
many acts were acknowledged before the disk was full.
"""

import sys
from contextlib import suppress
from pathlib import Path

from store.errors import TuteeError
from store.paths import Paths, locate
from store.records import Instruction, Verdict
from store.repository import Repository

BALLAST = 128 * 1024
"""Bytes that are freed when the disk is full."""


def main(home: Path) -> None:
    paths = locate(home)
    ballast = home.parent / "ballast"
    ballast.write_bytes(b"x" * BALLAST)
    done: dict[str, str] = {}
    with Repository.open(paths) as repository:
        refused = teach_until_refused(repository, done)
        assert "No space left on device" in refused.title, refused
        look(repository, done)
        look_anew(paths, done, write=False)
        before = len(done)
        ballast.unlink()
        teach(repository, done)
        look(repository, done)
    look_anew(paths, done, write=False)
    look_anew(paths, done, write=True)
    free_from_within(paths, home.parent / "rest")
    sys.stdout.write(str(before))


def free_from_within(paths: Paths, rest: Path) -> None:
    """Delete everything on a disk without a byte left, whose lock cannot name its holder."""
    with rest.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 1024):
            pass
    with Repository.open(paths) as repository:
        repository.delete_records([record.id for record in repository.records()])
        for talk in repository.conversations():
            repository.delete_conversation(talk.id)
    with Repository.open(paths, write=False) as repository:
        assert (repository.records(), repository.conversations()) == ([], [])


def teach_until_refused(repository: Repository, done: dict[str, str]) -> TuteeError:
    while True:
        try:
            teach(repository, done)
        except TuteeError as error:
            return error


def teach(repository: Repository, done: dict[str, str]) -> None:
    """One reply, rated and corrected; each act is noted once it is acknowledged."""
    talk = repository.start_conversation()
    repository.add_message(talk.id, "user", "What is the capital of France?")
    reply = repository.add_message(talk.id, "assistant", "Lyon")
    done[reply.id] = "said"
    repository.rate(reply.id, False, ["wrong"])
    done[reply.id] = "rated"
    repository.correct(reply.id, "Paris")
    done[reply.id] = "corrected"


def look(repository: Repository, done: dict[str, str]) -> None:
    """Every act that was acknowledged is there."""
    assert repository.notices == (), repository.notices
    for reply, act in done.items():
        assert repository.message(reply).content == "Lyon"
        kinds = {type(record) for record in repository._index.about(reply)}
        assert act == "said" or Verdict in kinds
        assert (act == "corrected") == (Instruction in kinds)


def look_anew(paths: Paths, done: dict[str, str], *, write: bool) -> None:
    with Repository.open(paths, write=write) as repository:
        look(repository, done)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
