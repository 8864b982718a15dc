"""A disk that refuses: nothing is lost, and the next act works when it no longer does."""

import errno
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from store.errors import TuteeError
from store.paths import Paths, locate
from store.records import (
    ChatMessage,
    Conversation,
    ImportedConversation,
    Instruction,
    Message,
    Origin,
    Record,
)
from store.repository import Repository
from tests.store.faults import fault

POINTS = 200
"""More calls than any of the acts makes."""


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def broken() -> None:
    raise OSError(errno.EIO, "Input/output error")


def imports(count: int) -> list[Record]:
    prompt = (ChatMessage(role="user", content="x" * 10_000),)
    origin = Origin(source="import:a")
    return [
        Instruction(id=f"r{n}", act=f"r{n}", prompt=prompt, completion=f"{n}", origin=origin)
        for n in range(count)
    ]


def chat() -> ImportedConversation:
    conversation = Conversation(id="c", source="import:a")
    return ImportedConversation(
        conversation, (Message(conversation_id="c", role="user", content="hi"),)
    )


def state(repository: Repository) -> object:
    """All that can be seen of a home."""
    talks = [(talk, repository.messages(talk.id)) for talk in repository.conversations()]
    judged = [repository.feedback(m.id) for _, messages in talks for m in messages]
    return talks, judged, repository.records(), repository.counts()


ACTS: dict[str, Callable[[Repository, Message], object]] = {
    "message": lambda home, reply: home.add_message(reply.conversation_id, "user", "And?"),
    "rate": lambda home, reply: home.rate(reply.id, False, ["wrong"]),
    "explain": lambda home, reply: (
        home.rate(reply.id, False),
        home.explain(reply.id, ["style"], "Too long."),
    ),
    "correct": lambda home, reply: home.correct(reply.id, "Paris"),
    "undo": lambda home, reply: home.undo(reply.id),
    "delete": lambda home, reply: home.delete_records([r.id for r in home.records()]),
    "import": lambda home, reply: home.add_imported(imports(60), [chat()]),
}


@pytest.mark.parametrize("error", [full, broken])
@pytest.mark.parametrize("name", ACTS)
def test_memory_equals_the_disk_wherever_a_write_fails(
    repository: Repository, reply: Message, paths: Paths, name: str, error: Callable[[], None]
) -> None:
    repository.rate(reply.id, True)
    failures = 0
    for number in range(POINTS):
        before = state(repository)
        with fault(number, error) as reached:
            failed = attempted(ACTS[name], repository, reply)
        if failed:
            failures += 1
            whole = name in {"explain", "delete", "import"}  # these are several writes
            assert whole or state(repository) == before
        with Repository.open(paths, write=False) as reader:
            assert state(reader) == state(repository)
            assert reader.notices == ()
        if not reached():
            break
        restore(repository, reply)
    else:
        pytest.fail("there are more points than were tried")
    assert failures >= 3  # a file that shrinks makes room for itself, once


def attempted(act: Callable[[Repository, Message], object], *home: Any) -> bool:
    """Whether an act failed, with an error a person can understand."""
    try:
        act(*home)
    except TuteeError as error:
        return error.title.startswith("Cannot write")
    return False


def restore(repository: Repository, reply: Message) -> None:
    """Make the acts have something to do again, on a disk with room."""
    with suppress(TuteeError):
        repository.delete_records([r.id for r in repository.records()])
    repository.rate(reply.id, True)


def test_an_import_that_the_disk_refused_can_be_done_again(
    repository: Repository, paths: Paths
) -> None:
    with fault(12, full), pytest.raises(TuteeError, match="No space left on device"):
        repository.add_imported(imports(60), [chat()])
    kept = len(repository.records())
    assert 0 < kept < 60
    added = repository.add_imported(imports(60), [chat()])
    assert len(added.records) == 60 - kept
    with Repository.open(paths, write=False) as reader:
        assert len(reader.records()) == 60
        assert [c.id for c in reader.conversations()] == ["c"]


def test_a_file_that_cannot_grow(repository: Repository, reply: Message, paths: Paths) -> None:
    liked = repository.rate(reply.id, True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(TuteeError, match="too large"):
            repository.correct(reply.id, "Paris")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert repository.feedback(reply.id) == liked
    assert not list(paths.home.rglob("*.tmp"))
    corrected = repository.correct(reply.id, "Paris")
    with Repository.open(paths, write=False) as reader:
        assert reader.feedback(reply.id) == corrected


def test_an_opening_that_the_disk_refuses_loses_nothing(
    repository: Repository, reply: Message, paths: Paths
) -> None:
    repository.rate(reply.id, True)
    before = state(repository)
    repository.close()
    for number in range(POINTS):
        with fault(number, full) as reached, suppress(TuteeError), Repository.open(paths) as again:
            assert state(again) == before
        with Repository.open(paths, write=False) as reader:
            assert state(reader) == before
        if not reached():
            break
    with Repository.open(paths) as again:
        assert state(again) == before


def test_a_new_home_on_a_full_disk_can_be_made_later(tmp_path: Path) -> None:
    failures = 0
    for number in range(POINTS):
        paths = locate(tmp_path / str(number))
        with fault(number, full) as reached:
            try:
                Repository.open(paths).close()
            except TuteeError:
                failures += 1
        with Repository.open(paths) as repository:
            assert repository.records() == []
        if not reached():
            break
    assert failures > 10


def test_a_day_without_a_backup_is_told(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.copytree", lambda *_, **__: full())
    with Repository.open(paths) as repository:
        (notice,) = repository.notices
    assert "Today's backup could not be made" in notice
    assert "No space left on device" in notice
