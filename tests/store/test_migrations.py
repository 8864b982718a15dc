"""Homes of an older Tutee, in the form that it wrote them, and of a newer one."""

import errno
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import TuteeError
from store.feedback import Feedback
from store.migrations import STEPS, upgraded
from store.paths import Paths, locate
from store.records import (
    SCHEMA_VERSION,
    ChatMessage,
    Conversation,
    ConversationTree,
    FeedbackDocument,
    Instruction,
    Message,
    Origin,
    Preference,
    Record,
    Verdict,
)
from store.repository import Counts, Repository
from store.storage import Tables
from tests.store.faults import fault

USER = ChatMessage(role="user", content="What is the capital of France?")
STAMP: Tables = {"meta": {"schema": {"version": 1}}}

TALK = Conversation(id="c", title="What is the capital of France?")
MESSAGES = (
    Message(id="m1", conversation_id="c", role="user", content=USER.content),
    Message(id="m2", conversation_id="c", parent_id="m1", role="assistant", content="Lyon"),
)
ABOUT: dict[str, Any] = {"message_id": "m2", "conversation_id": "c", "prompt": (USER,)}
FEEDBACK: tuple[Record, ...] = (
    Verdict(act="a1", superseded_by="a2", completion="Lyon", label=True, **ABOUT),
    Instruction(act="a1", superseded_by="a2", completion="Lyon", **ABOUT),
    Instruction(act="a2", completion="Paris", **ABOUT),
    Preference(act="a2", chosen="Paris", rejected="Lyon", **ABOUT),
)
IMPORTS: tuple[Record, ...] = (
    Instruction(prompt=(USER,), completion="Paris!", origin=Origin(source="import:a.jsonl")),
)


def by_id(items: Sequence[Conversation | Message | Record]) -> dict[str, dict[str, Any]]:
    """A table of schema 1, which did not know where a conversation came from."""
    tables = {item.id: item.model_dump(mode="json") for item in items}
    for document, item in zip(tables.values(), items, strict=True):
        if isinstance(item, Conversation):
            del document["source"]
    return tables


def put(path: Path, tables: Tables) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(json.dumps({**STAMP, **tables}, ensure_ascii=False), encoding="utf-8")


def write_old(paths: Paths) -> None:
    """A home as schema 1 had it."""
    talk = {"conversations": by_id([TALK]), "messages": by_id(MESSAGES)}
    put(paths.home / "conversations.json", talk)
    put(paths.home / "feedback.json", {"records": by_id(FEEDBACK)})
    put(paths.home / "imports.json", {"records": by_id(IMPORTS)})


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def check(repository: Repository) -> None:
    """It is the home that was written."""
    assert repository.conversations() == [TALK]
    assert repository.messages("c") == list(MESSAGES)
    assert repository.feedback("m2") == Feedback(correction="Paris", undoable=True)
    assert repository.records() == [*FEEDBACK[2:], *IMPORTS]
    assert repository.counts() == Counts(0, 0, 1, 2, 1, 0)


def test_an_old_home_is_brought_up_to_date_and_kept(paths: Paths) -> None:
    write_old(paths)
    old = {path.name: path.read_bytes() for path in paths.home.iterdir()}
    for _ in range(2):
        with Repository.open(paths) as repository:
            assert repository.notices == ()
            check(repository)
    assert json.loads((paths.records / "schema.json").read_bytes()) == {"version": SCHEMA_VERSION}
    kept = {p.name: p.read_bytes() for p in (paths.backups / "schema-1").iterdir()}
    assert kept == old
    assert not list(paths.home.glob("*.json"))
    with Repository.open(paths) as repository:
        assert repository.undo("m2") == Feedback(label=True, undoable=True)


def test_a_home_of_later_segments_is_kept_as_it_was(paths: Paths) -> None:
    """From schema 2 on the files stay in their places, so a copy of them is kept."""
    write_old(paths)
    Repository.open(paths).close()
    (paths.records / "schema.json").write_text('{"version": 2}')
    old = contents(paths.records)
    for number in range(200):
        (paths.records / "schema.json").write_text('{"version": 2}')
        with fault(number, full) as reached, suppress(TuteeError):
            Repository.open(paths).close()
        with Repository.open(paths) as repository:
            check(repository)
        assert contents(paths.backups / "schema-2") == old
        shutil.rmtree(paths.backups / "schema-2")
        if not reached():
            break
    assert number > 10
    assert json.loads((paths.records / "schema.json").read_bytes()) == {"version": SCHEMA_VERSION}


def test_reading_an_old_home_moves_nothing(paths: Paths) -> None:
    write_old(paths)
    before = {path: path.read_bytes() for path in paths.home.iterdir()}
    with Repository.open(paths, write=False) as repository:
        check(repository)
        with pytest.raises(TuteeError, match="reading only"):
            repository.undo("m2")
    assert {path: path.read_bytes() for path in paths.home.iterdir()} == before


def test_a_home_with_one_old_file_is_an_old_home(paths: Paths) -> None:
    put(paths.home / "imports.json", {"records": by_id(IMPORTS)})
    with Repository.open(paths) as repository:
        assert repository.records() == list(IMPORTS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the process it kills")
def test_a_kill_at_any_moment_leaves_the_old_home_or_the_new(tmp_path: Path) -> None:
    for number in range(200):
        paths = locate(tmp_path / str(number))
        write_old(paths)
        survived = killed_at(number, paths)
        with Repository.open(paths, write=False) as reader:
            check(reader)
        with Repository.open(paths) as repository:
            assert repository.notices == ()
            check(repository)
        assert len(list((paths.backups / "schema-1").iterdir())) == 3
        if survived:
            break
    assert 20 < number < 199


def killed_at(number: int, paths: Paths) -> bool:
    """Open a home in a child that dies at one call; whether it came through."""
    child = os.fork()
    if child == 0:
        try:
            with fault(number, lambda: os._exit(9)):
                Repository.open(paths).close()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 0


def test_a_damaged_old_file_is_read_from_its_backup(paths: Paths) -> None:
    write_old(paths)
    path = paths.home / "feedback.json"
    path.with_name("feedback.json.bak").write_bytes(path.read_bytes())
    path.write_text("{")
    with Repository.open(paths) as repository:
        check(repository)
        damage, used = repository.notices
    assert "feedback.json is damaged" in damage
    assert "before its last change" in used
    assert (paths.backups / "schema-1" / "feedback.json").read_text() == "{"


@pytest.mark.parametrize("spoilt", ["{", '{"records": {}}', '{"meta": {"schema": {"version": 0}}}'])
def test_a_damaged_old_file_without_a_backup_leaves_the_others(paths: Paths, spoilt: str) -> None:
    write_old(paths)
    (paths.home / "feedback.json").write_text(spoilt)
    with Repository.open(paths) as repository:
        (notice,) = repository.notices
        assert "feedback.json is damaged" in notice
        assert repository.messages("c") == list(MESSAGES)
        assert repository.records() == list(IMPORTS)
    assert (paths.backups / "schema-1" / "feedback.json").read_text() == spoilt


@pytest.mark.parametrize(
    "messages", [MESSAGES[1:], MESSAGES[::-1]], ids=["no parent", "parent after child"]
)
def test_old_messages_out_of_their_tree_are_damage(
    paths: Paths, messages: tuple[Message, ...]
) -> None:
    write_old(paths)
    talk = {"conversations": by_id([TALK]), "messages": by_id(messages)}
    put(paths.home / "conversations.json", talk)
    with Repository.open(paths) as repository:
        assert "conversations.json is damaged" in repository.notices[0]
        assert len(repository.records()) == 3


def test_what_an_older_tutee_wrote_afterwards_is_kept_and_told(paths: Paths) -> None:
    for _ in range(2):
        write_old(paths)
        with Repository.open(paths) as repository:
            check(repository)
    assert len(repository.notices) == 3
    assert "An older Tutee wrote" in repository.notices[0]
    assert len(list((paths.backups / "schema-1").iterdir())) == 6


def test_a_newer_home_is_refused_and_left_alone(paths: Paths) -> None:
    Repository.open(paths).close()
    schema = paths.records / "schema.json"
    schema.write_text('{"version": 99}')
    for write in (False, True):  # the error of the first is still held when the next one opens
        with pytest.raises(TuteeError, match=r"newer Tutee \(schema 99") as caught:
            Repository.open(paths, write=write)
        assert "Update Tutee" in caught.value.hint
    assert schema.read_text() == '{"version": 99}'


def test_the_steps_lead_from_the_first_schema_to_this_one() -> None:
    assert [step.version for step in STEPS] == list(range(1, SCHEMA_VERSION))


# -- any home ----------------------------------------------------------------------------------

TEXT = st.text(max_size=20)
ID = st.text("0123456789abcdef", min_size=1, max_size=4)
MOMENT = st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1))


@st.composite
def threads(draw: st.DrawFn) -> list[ConversationTree]:
    """Conversations whose messages hang somewhere in their tree."""
    found = []
    for talk in draw(st.lists(ID, max_size=3, unique=True)):
        messages: list[Message] = []
        for number in range(draw(st.integers(1, 5))):
            parent = draw(st.sampled_from(messages)) if messages else None
            messages.append(
                Message(
                    id=f"{talk}-{number}",
                    conversation_id=talk,
                    parent_id=parent.id if parent else None,
                    role=draw(st.sampled_from(["user", "assistant"])),
                    content=draw(TEXT),
                    created=draw(MOMENT),
                )
            )
        conversation = Conversation(id=talk, title=draw(TEXT), created=draw(MOMENT))
        found.append(ConversationTree(conversation=conversation, messages=tuple(messages)))
    return found


@given(threads(), st.lists(st.tuples(ID, st.lists(TEXT, min_size=1, max_size=3)), max_size=4))
def test_a_step_keeps_all_documents(
    talks: list[ConversationTree], replies: list[tuple[str, list[str]]]
) -> None:
    records: list[Record] = [
        Verdict(message_id=reply, prompt=(USER,), completion=text, label=True)
        for reply, texts in replies
        for text in texts
    ]
    new = upgraded(
        1,
        {
            "conversations": by_id([thread.conversation for thread in talks]),
            "messages": by_id([m for thread in talks for m in thread.messages]),
            "feedback": by_id(records),
            "imports": by_id(records),
        },
    )
    assert [
        ConversationTree.model_validate(item) for item in new["conversations"].values()
    ] == talks
    judged = {
        key: FeedbackDocument.model_validate(item).records for key, item in new["feedback"].items()
    }
    for reply, found in judged.items():
        assert list(found) == [record for record in records if record.message_id == reply]
    assert sum(map(len, judged.values())) == len(records)
    imports = [FeedbackDocument.model_validate(item).records for item in new["imports"].values()]
    assert imports == [(record,) for record in records]
