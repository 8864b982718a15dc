"""Rows and records: what is read, what is refused and why, what is written."""

from typing import Any

import pytest

from data.formats import RowError, read, row
from store.records import Instruction, Origin, Preference, Turn, Verdict

ORIGIN = Origin(source="import:a.jsonl")
USER = Turn(role="user", content="hi")
SYSTEM = Turn(role="system", content="Be brief.")
U = {"role": "user", "content": "hi"}
S = {"role": "system", "content": "Be brief."}
A = {"role": "assistant", "content": "yo"}
B = {"role": "assistant", "content": "hello"}


def said(record: object) -> dict[str, Any]:
    """A record without what is random."""
    assert isinstance(record, Instruction | Preference | Verdict)
    return record.model_dump(exclude={"id", "act", "created"})


INSTRUCTION = Instruction(origin=ORIGIN, prompt=(SYSTEM, USER), completion="yo")
PREFERENCE = Preference(origin=ORIGIN, prompt=(USER,), chosen="yo", rejected="hello")
VERDICT = Verdict(origin=ORIGIN, prompt=(USER,), completion="yo", label=False)


@pytest.mark.parametrize(
    ("given", "name", "record"),
    [
        ({"messages": [S, U, A], "source": "x"}, "messages", INSTRUCTION),
        ({"prompt": [U], "chosen": [A], "rejected": [B]}, "preference", PREFERENCE),
        ({"prompt": "hi", "chosen": "yo", "rejected": "hello"}, "preference", PREFERENCE),
        ({"prompt": [U], "chosen": "yo", "rejected": [B]}, "preference", PREFERENCE),
        ({"chosen": [U, A], "rejected": [U, B]}, "preference", PREFERENCE),
        ({"prompt": None, "chosen": [U, A], "rejected": [U, B]}, "preference", PREFERENCE),
        ({"prompt": "hi", "chosen": [U, A], "rejected": [U, B]}, "preference", PREFERENCE),
        ({"prompt": [U], "completion": [A], "label": False}, "verdict", VERDICT),
        ({"prompt": "hi", "completion": "yo", "label": False}, "verdict", VERDICT),
    ],
)
def test_a_row_is_read(given: dict[str, Any], name: str, record: object) -> None:
    format_name, found = read(given, ORIGIN)
    (taken,) = found.records
    assert format_name == name
    assert said(taken) == said(record)


def messages(*turns: object) -> dict[str, Any]:
    return {"messages": list(turns)}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "not a JSON object"),
        ("hi", "not a JSON object"),
        ({}, "no known format"),
        ({"text": "hi"}, "no known format"),
        (messages(), "messages has no messages"),
        ({"messages": {"role": "user"}}, "messages is not a list of messages"),
        (messages("hi"), "a message is not an object"),
        (messages(U), "the last message is not the assistant's"),
        (messages(U, A, U), "the last message is not the assistant's"),
        (messages(A), "no user message"),
        (messages(S, A), "no user message"),
        (messages(U, A, B), "the message before the reply is not the user's"),
        (messages({"role": "user", "content": " "}, A), "empty user message"),
        (messages(U, {"role": "assistant", "content": "\n"}), "empty reply"),
        (messages(U, {"role": "tool", "content": "x"}, A), "unknown role 'tool'"),
        (messages(U, {"role": ["user"], "content": "x"}, A), "unknown role"),
        (messages({"content": "hi"}, A), "a message has no role"),
        (messages({"role": "user", "content": None}, A), "content is not text"),
        (messages({"role": "user"}, A), "content is not text"),
        (messages(U, {**A, "tool_calls": [{}]}), "a message calls a tool"),
        (messages(U, {"role": "assistant", "content": "\ud83d"}), "surrogate"),
        ({**messages(U, A), "label": False}, "messages with a label"),
        ({"prompt": [U], "chosen": [A], "rejected": [A]}, "chosen equals rejected"),
        ({"prompt": "hi", "chosen": "yo", "rejected": " "}, "empty reply"),
        ({"prompt": "hi", "chosen": "yo", "rejected": None}, "rejected is not a list"),
        ({"prompt": " ", "chosen": "yo", "rejected": "no"}, "empty user message"),
        ({"prompt": [S], "chosen": "yo", "rejected": "no"}, "no user message"),
        ({"prompt": [U], "chosen": [U], "rejected": [B]}, "chosen is not the assistant's"),
        ({"prompt": [U], "chosen": [S, A], "rejected": [B]}, "more than one reply"),
        ({"chosen": "yo", "rejected": "no"}, "no prompt"),
        ({"chosen": [U, A], "rejected": [S, B]}, "differ in more than the last"),
        ({"chosen": [A], "rejected": [B]}, "no user message"),
        ({"prompt": "hi", "completion": "yo", "label": "yes"}, "label is not true or false"),
        ({"prompt": "hi", "completion": "yo", "label": 1}, "label is not true or false"),
        ({"completion": "yo", "label": True}, "no prompt"),
        ({"prompt": "hi", "completion": "", "label": True}, "empty reply"),
    ],
)
def test_a_row_is_refused_with_its_reason(given: object, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        read(given, ORIGIN)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (INSTRUCTION, {"messages": [S, U, A]}),
        (PREFERENCE, {"prompt": [U], "chosen": [A], "rejected": [B]}),
        (VERDICT, {"prompt": [U], "completion": [A], "label": False}),
    ],
)
def test_a_record_is_written(record: Any, expected: dict[str, Any]) -> None:
    assert row(record) == expected
