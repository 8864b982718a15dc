"""The schema: what is put in comes out, whatever it is."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from store.backups import Backups
from store.records import (
    HARMS,
    REASONS,
    ChatMessage,
    Conversation,
    ConversationTree,
    FeedbackDocument,
    Instruction,
    Message,
    Origin,
    Preference,
    Record,
    Sampling,
    Verdict,
)
from store.segments import Segments

TEXT = st.text(max_size=30)
ANY_TEXT = st.text(st.characters(), max_size=30)
"""Halves of surrogate pairs too."""
ROLE = st.sampled_from(["system", "user", "assistant"])
MOMENT = st.datetimes(
    min_value=datetime(2, 1, 1),
    max_value=datetime(9998, 1, 1),
    timezones=st.one_of(st.none(), st.just(UTC), st.timezones()),
)
SAMPLING = st.builds(
    Sampling,
    temperature=st.floats(0, 5),
    top_p=st.floats(0.01, 1),
    repetition_penalty=st.floats(0.1, 5),
    top_k=st.integers(0, 100),
    min_p=st.floats(0, 1),
    stop=st.lists(st.text(min_size=1)).map(tuple),
    seed=st.none() | st.integers(0, 2**63 - 1),
    max_new_tokens=st.integers(1, 10_000),
)
ORIGIN = st.builds(
    Origin,
    source=ANY_TEXT,
    model=st.none() | TEXT,
    adapter=st.none() | TEXT,
    sampling=st.none() | SAMPLING,
    seed=st.none() | st.integers(-(2**63), 2**64),
    stopped=st.booleans(),
)
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "created": MOMENT,
    "conversation_id": st.none() | TEXT,
    "message_id": st.none() | TEXT,
    "superseded_by": st.none() | TEXT,
    "origin": ORIGIN,
    "prompt": st.lists(st.builds(ChatMessage, role=ROLE, content=ANY_TEXT), max_size=3).map(tuple),
}
RECORD: st.SearchStrategy[Record] = st.one_of(
    st.builds(Instruction, completion=ANY_TEXT, **COMMON),
    st.builds(Preference, chosen=ANY_TEXT, rejected=ANY_TEXT, **COMMON),
    st.builds(
        Verdict,
        completion=ANY_TEXT,
        label=st.booleans(),
        reasons=st.lists(st.sampled_from(REASONS), unique=True).map(tuple),
        comment=ANY_TEXT,
        **COMMON,
    ),
)


@settings(max_examples=settings().max_examples * 60 // 100)
@given(st.lists(RECORD, min_size=1, max_size=4))
def test_records_come_back_from_the_disk(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record]
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "records" / "feedback").mkdir(parents=True)
    backups = Backups(home / "records", home / "backups", write=True)
    judged = FeedbackDocument(records=tuple(records))
    Segments("feedback", FeedbackDocument, backups, lambda before, after: None).put({"m": judged})
    again = Segments("feedback", FeedbackDocument, backups, lambda before, after: None)
    assert again.documents == {"m": judged}


def test_text_that_no_file_can_hold_is_replaced() -> None:
    assert ChatMessage(role="user", content="a\ud83db 😀").content == "a?b 😀"


def test_a_moment_without_a_zone_is_taken_as_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4)
    record = Instruction(prompt=(), completion="x", created=moment)
    assert record.created == moment.replace(tzinfo=UTC)


def test_a_moment_that_utc_does_not_have_is_refused() -> None:
    moment = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(ValidationError, match="first or after the last year"):
        Instruction(prompt=(), completion="x", created=moment)


@pytest.mark.parametrize(
    "messages",
    [
        [{"id": "a", "parent_id": "b"}, {"id": "b"}],
        [{"id": "a", "parent_id": "a"}],
        [{"id": "a", "parent_id": "nowhere"}],
        [{"id": "a", "conversation_id": "other"}],
    ],
    ids=["parent after child", "its own parent", "no parent", "another conversation"],
)
def test_messages_out_of_their_tree_are_refused(messages: list[dict[str, str]]) -> None:
    built = tuple(
        Message(**{"conversation_id": "c", "role": "user", "content": "x", **message})
        for message in messages
    )
    with pytest.raises(ValidationError, match="has no parent"):
        ConversationTree(conversation=Conversation(id="c"), messages=built)


def test_objects_take_no_memory_for_which_fields_they_were_given() -> None:
    verdict = Verdict(
        prompt=(ChatMessage(role="user", content="Hello?"),),
        completion="Hi.",
        label=True,
        origin=Origin(sampling=Sampling(seed=7)),
    )
    kept = FeedbackDocument(records=(verdict,))
    read = FeedbackDocument.model_validate_json(kept.model_dump_json())
    (record,) = read.records
    changed = record.model_copy(update={"excluded": True})
    objects = (read, record, record.origin, record.origin.sampling, record.prompt[0])
    assert len({id(each.model_fields_set) for each in objects if each}) == 1
    assert record.model_fields_set == set()
    assert read == kept
    assert changed != record


@pytest.mark.parametrize(
    ("label", "reasons", "harmful"),
    [
        (False, ("wrong", "hateful"), True),
        (False, ("harmful or biased",), True),  # as older records have it
        (False, ("wrong", "misleading"), False),
        (False, (), False),
        (True, ("dangerous",), False),
    ],
)
def test_a_thumbs_down_is_harmful_by_its_reasons(
    label: bool, reasons: tuple[str, ...], harmful: bool
) -> None:
    verdict = Verdict(prompt=(), completion="x", label=label, reasons=reasons)
    assert verdict.harmful == harmful
    assert verdict == Verdict.model_validate_json(verdict.model_dump_json())


def test_every_harm_but_the_old_one_is_offered() -> None:
    assert HARMS - set(REASONS) == {"harmful or biased"}
