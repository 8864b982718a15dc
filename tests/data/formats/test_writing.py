"""Records as rows: what each format writes, and that it is read as the same."""

import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.format_detection import NAMES, read
from data.formats import row, writers
from data.thoughts import split_thoughts
from store.feedback import dedup_key
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Sampling, Verdict
from tests.data.formats.test_reading import (
    ALPACA,
    ASKED,
    BRIEF,
    GA,
    GB,
    HU,
    ORIGIN,
    PREFERENCE,
    SECOND,
    SYSTEM,
    USER,
    VERDICT,
    A,
    B,
    S,
    U,
    instruction,
    messages,
    shared,
)

ALL = ("messages", "trl", "alpaca", "sharegpt", "kto", "csv", "tutee")


def test_each_kind_has_its_formats_the_default_first() -> None:
    assert [writers(kind)[0] for kind in ("instruction", "preference", "verdict")] == [
        "messages",
        "trl",
        "kto",
    ]
    assert {
        name for kind in ("instruction", "preference", "verdict") for name in writers(kind)
    } == {*ALL}
    assert set(ALL) <= set(NAMES)


TALK = {"weight": 0}


@pytest.mark.parametrize(
    ("record", "name", "expected"),
    [
        (BRIEF, None, messages(S, U, A)),
        (SECOND, "messages", messages(U, A | TALK, U, B)),
        (VERDICT, "messages", {**messages(U, A), "label": False}),
        (ASKED, "trl", {"prompt": [U], "completion": [A]}),
        (PREFERENCE, None, {"prompt": [U], "chosen": [A], "rejected": [B]}),
        (VERDICT, None, {"prompt": [U], "completion": [A], "label": False}),
        (VERDICT, "trl", {"prompt": [U], "completion": [A], "label": False}),
        (BRIEF, "alpaca", {**ALPACA, "system": "Be brief.", "history": []}),
        (SECOND, "alpaca", {**ALPACA, "output": "hello", "system": "", "history": [["hi", "yo"]]}),
        (VERDICT, "alpaca", {**ALPACA, "system": "", "history": [], "kto_tag": False}),
        (SECOND, "sharegpt", shared(HU, GA | TALK, HU, GB)),
        (PREFERENCE, "sharegpt", shared(HU, chosen=GA, rejected=GB)),
        (VERDICT, "sharegpt", shared(HU, GA, kto_tag=False)),
        (BRIEF, "csv", {"system": "Be brief.", "prompt": "hi", "completion": "yo"}),
        (VERDICT, "csv", {"system": "", "prompt": "hi", "completion": "yo", "label": "false"}),
        (SECOND, "csv", None),
        (instruction(SYSTEM, SYSTEM, USER), "alpaca", None),
        (instruction(USER, USER), "alpaca", None),
        (instruction(ChatMessage(role="system", content=""), USER), "alpaca", None),
        (PREFERENCE, "messages", None),
        (PREFERENCE, "kto", None),
    ],
)
def test_a_record_is_written(
    record: Record, name: str | None, expected: dict[str, Any] | None
) -> None:
    assert row(record, name) == expected


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["你好\n", "\u2028\x85", "a\r\nb", '"\\', "\x00", "\ufeff", "noinput", "`<think>`"]
)
TEXT = TEXT.filter(lambda text: split_thoughts(text) == ("", text))
SAID = TEXT.filter(str.strip)
QUESTION = st.builds(ChatMessage, role=st.just("user"), content=SAID)
ANSWER = st.builds(ChatMessage, role=st.just("assistant"), content=TEXT)
PROMPT = st.builds(
    lambda system, earlier, last: (*system, *(turn for pair in earlier for turn in pair), last),
    st.lists(st.builds(ChatMessage, role=st.just("system"), content=TEXT), max_size=1),
    st.lists(st.tuples(QUESTION, ANSWER), max_size=2),
    QUESTION,
)
ORIGINS = st.builds(
    Origin,
    source=st.sampled_from(["chat", "import:x"]),
    model=st.none() | SAID,
    sampling=st.none() | st.just(Sampling()),
    seed=st.none() | st.integers(),
    stopped=st.booleans(),
)
TIMES = st.datetimes(timezones=st.just(UTC))
ABOUT = {"prompt": PROMPT, "origin": ORIGINS, "created": TIMES}
RECORDS = st.one_of(
    st.builds(Instruction, completion=SAID, conversation_id=st.none() | SAID, **ABOUT),
    st.builds(Preference, chosen=SAID, rejected=SAID, **ABOUT).filter(
        lambda record: record.chosen.strip() != record.rejected.strip()
    ),
    st.builds(
        Verdict,
        completion=SAID,
        label=st.booleans(),
        reasons=st.lists(SAID, max_size=2).map(tuple),
        comment=TEXT,
        **ABOUT,
    ),
)


@given(record=RECORDS)
def test_what_is_written_is_read_as_the_same(record: Record) -> None:
    for name in writers(record.kind):
        written = row(record, name)
        if written is None:
            continue
        given = json.loads(json.dumps(written))
        # A table is read as one; everything else is told by its keys.
        told, held = read(given, ORIGIN, "csv" if name == "csv" else None)
        assert (told, held.refused) == ("kto" if "label" in given and name == "trl" else name, ())
        if name == "tutee":
            assert held.records == (record,)
        else:
            assert [dedup_key(one) for one in held.records] == [dedup_key(record)]


@given(record=RECORDS)
def test_only_what_a_format_has_no_place_for_is_left_out(record: Record) -> None:
    for name in ("messages", "sharegpt", "trl", "kto", "tutee"):
        assert (row(record, name) is None) == (name not in writers(record.kind))
    plain = [turn.role for turn in record.prompt] == ["user"]
    if plain:
        assert row(record, "csv") is not None
    if record.prompt[0].role == "user":
        assert row(record, "alpaca") is not None
