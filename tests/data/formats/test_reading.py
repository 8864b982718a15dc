"""Rows and records: what is read, what is refused and why, what is written."""

import copy
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.format_detection import NAMES, read
from data.formats import RowError, row
from data.formats.common import parse_time
from store.feedback import dedup_key
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict

ORIGIN = Origin(source="import:a.jsonl")
USER = ChatMessage(role="user", content="hi")
SYSTEM = ChatMessage(role="system", content="Be brief.")
YO = ChatMessage(role="assistant", content="yo")
U = {"role": "user", "content": "hi"}
S = {"role": "system", "content": "Be brief."}
A = {"role": "assistant", "content": "yo"}
B = {"role": "assistant", "content": "hello"}
HU = {"from": "human", "value": "hi"}
HS = {"from": "system", "value": "Be brief."}
GA = {"from": "gpt", "value": "yo"}
GB = {"from": "gpt", "value": "hello"}


def instruction(*prompt: ChatMessage, completion: str = "yo") -> Instruction:
    return Instruction(prompt=prompt, completion=completion)


ASKED = instruction(USER)
BRIEF = instruction(SYSTEM, USER)
PREFERENCE = Preference(prompt=(USER,), chosen="yo", rejected="hello")
VERDICT = Verdict(prompt=(USER,), completion="yo", label=False)
SECOND = instruction(USER, YO, USER, completion="hello")


def found(row: object, format_name: str | None = None) -> tuple[str, list[object]]:
    name, held = read(row, ORIGIN, format_name)
    assert all(record.origin.source == ORIGIN.source for record in held.records)
    return name, [dedup_key(record) for record in held.records]


def messages(*turns: object) -> dict[str, Any]:
    return {"messages": list(turns)}


def shared(*turns: object, **others: object) -> dict[str, Any]:
    return {"conversations": list(turns), **others}


@pytest.mark.parametrize(
    ("given", "records"),
    [
        ({**messages(S, U, A), "source": "x"}, [BRIEF]),
        ({**messages(U, A), "system": "Be brief."}, [BRIEF]),
        (messages({**S, "role": "developer"}, U, A), [BRIEF]),
        (messages(U, {**A, "content": [{"type": "text", "text": "yo"}]}), [ASKED]),
        (messages(U, A, U, B), [ASKED, SECOND]),
        (messages(U, {**A, "weight": 0}, U, B), [SECOND]),
        (messages(U, {**A, "weight": 1}, U, {**B, "weight": 0}), [ASKED]),
        (messages({**U, "weight": None}, {**A, "weight": None}), [ASKED]),
        (messages(U, {**A, "train": False}, U, B), [SECOND]),
        (messages(U, A, U), [ASKED]),
        ({**messages(U, A), "label": False}, [VERDICT]),
        ({**messages(U, A), "kto_tag": False}, [VERDICT]),
        ({**messages(U), "chosen": A, "rejected": B}, [PREFERENCE]),
        (
            {"input": messages(U), "preferred_output": [A], "non_preferred_output": [B]},
            [PREFERENCE],
        ),
    ],
)
def test_messages_are_read(given: dict[str, Any], records: list[Record]) -> None:
    assert found(given) == ("messages", [dedup_key(record) for record in records])


@pytest.mark.parametrize(
    ("given", "records"),
    [
        (shared(HU, GA), [ASKED]),
        (shared(HS, HU, GA), [BRIEF]),
        (shared(HU, GA, system="Be brief."), [BRIEF]),
        (shared(HS, HU, GA, system="Be long."), [BRIEF]),
        (shared(HU, GA, HU, GB, id="x_0"), [ASKED, SECOND]),
        (shared(HU, {**GA, "weight": 0}, HU, GB), [SECOND]),
        (shared(U, A), [ASKED]),
        (shared({**HU, "from": "user"}, {**GA, "from": "model"}), [ASKED]),
        (shared(HU, chosen=GA, rejected=GB), [PREFERENCE]),
        (shared(HU, GA, kto_tag=False), [VERDICT]),
    ],
)
def test_sharegpt_is_read(given: dict[str, Any], records: list[Record]) -> None:
    assert found(given) == ("sharegpt", [dedup_key(record) for record in records])


ALPACA = {"instruction": "hi", "input": "", "output": "yo"}
PAIR = {"chosen": "yo", "rejected": "hello"}


@pytest.mark.parametrize(
    ("given", "record"),
    [
        (ALPACA, ASKED),
        ({"instruction": "hi", "output": "yo"}, ASKED),
        ({**ALPACA, "input": None, "history": None, "system": None}, ASKED),
        ({**ALPACA, "input": "there"}, instruction(ChatMessage(role="user", content="hi\nthere"))),
        ({**ALPACA, "instruction": "", "input": "hi"}, ASKED),
        ({**ALPACA, "input": "`<noinput>`"}, ASKED),
        ({**ALPACA, "input": "No input."}, ASKED),
        ({**ALPACA, "system": "Be brief."}, BRIEF),
        ({**ALPACA, "history": [["hi", "yo"]], "output": "hello"}, SECOND),
        ({"instruction": "hi", "input": "", **PAIR}, PREFERENCE),
        ({**ALPACA, **PAIR}, PREFERENCE),
        ({**ALPACA, "kto_tag": False}, VERDICT),
    ],
)
def test_alpaca_is_read(given: dict[str, Any], record: Record) -> None:
    assert found(given) == ("alpaca", [dedup_key(record)])


@pytest.mark.parametrize(
    ("given", "name", "record"),
    [
        ({"prompt": [U], "completion": [A]}, "trl", ASKED),
        ({"prompt": "hi", "completion": "yo"}, "trl", ASKED),
        ({"system": "Be brief.", "prompt": "hi", "completion": "yo"}, "trl", BRIEF),
        ({"prompt": [U], "chosen": [A], "rejected": [B]}, "trl", PREFERENCE),
        ({"prompt": "hi", **PAIR}, "trl", PREFERENCE),
        ({"prompt": [U], "chosen": "yo", "rejected": [B]}, "trl", PREFERENCE),
        ({"chosen": [U, A], "rejected": [U, B]}, "trl", PREFERENCE),
        ({"prompt": None, "chosen": [U, A], "rejected": [U, B]}, "trl", PREFERENCE),
        ({"prompt": "hi", "chosen": [U, A], "rejected": [U, B]}, "trl", PREFERENCE),
        (
            {"prompt": "hi", "chosen": [U, A], "rejected": [U, B], **messages(U, A)},
            "trl",
            PREFERENCE,
        ),
        ({"prompt": [U], "completion": [A], "label": False}, "kto", VERDICT),
        ({"prompt": "hi", "completion": "yo", "label": False}, "kto", VERDICT),
        ({"question": "hi", "answer": "yo"}, "columns", ASKED),
        ({"prompt": "hi", "response": "yo"}, "columns", ASKED),
        ({"system": "Be brief.", "question": "hi", "Output": "yo"}, "columns", BRIEF),
        ({"question": "hi", **PAIR}, "columns", PREFERENCE),
        ({"prompt": "hi", "response": "yo", "label": 0}, "columns", VERDICT),
    ],
)
def test_the_rows_of_trl_and_plain_columns_are_read(
    given: dict[str, Any], name: str, record: Record
) -> None:
    assert found(given) == (name, [dedup_key(record)])


@pytest.mark.parametrize("label", ["false", "0", "No", " 👎 ", "down"])
def test_a_label_in_a_table_is_read_as_people_write_it(label: str) -> None:
    columns = {"Prompt": "hi", "Response": "yo", "Label": label}
    assert found(columns, "csv") == ("csv", [dedup_key(VERDICT)])


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "not a JSON object"),
        ("hi", "not a JSON object"),
        ({}, "no known format"),
        ({"text": "hi"}, "no known format; its keys: text"),
        ({"prompt": "hi", "id": 1}, "a prompt but no reply; its keys: prompt, id"),
        (messages(), "messages has no messages"),
        ({"messages": {"role": "user"}}, "messages is not a list of messages"),
        ({"messages": "hi"}, "messages is not a list of messages"),
        (messages("hi"), "a message is not an object"),
        (messages(U), "no reply to learn"),
        (messages(U, {**A, "weight": 0}), "no reply to learn"),
        (messages(U, {**A, "weight": "0"}), "no reply to learn"),
        (messages(U, {**A, "weight": "none"}), "weight 'none' is not understood"),
        (messages(U, {**A, "weight": -1}), "weight -1 is not understood"),
        ({**messages(U, A), "label": None}, "label is empty"),
        (messages(A), "no user message"),
        (messages(S, A), "no user message"),
        (messages({"role": "user", "content": " "}, A), "empty user message"),
        (messages(U, {"role": "assistant", "content": "\n"}), "empty reply"),
        (messages(U, {"role": "tool", "content": "x"}, A), "unknown role 'tool'"),
        (messages(U, {"role": ["user"], "content": "x"}, A), "unknown role"),
        (messages({"content": "hi"}, A), "a message has no role"),
        (messages({"role": "user", "content": None}, A), "content is not text"),
        (messages({"role": "user"}, A), "content is not text"),
        (messages(U, {**A, "tool_calls": [{}]}), "a message calls a tool"),
        (messages(U, {**A, "content": [{"type": "image_url"}]}), "a part that is not text"),
        ({**messages(U, A), "images": ["a.png"]}, "it includes images"),
        (messages(U, {"role": "assistant", "content": "\ud83d"}), "surrogate"),
        ({**messages(U, A, U), "label": False}, "the last message is not the assistant's"),
        ({**messages(U, A), "label": 1}, "label is not true or false"),
        ({**messages(U), "chosen": A, "rejected": U}, "rejected is not the assistant's"),
        ({"input": {}, "preferred_output": [A], "non_preferred_output": [B]}, "no messages"),
        ({"input": messages(U), "preferred_output": [A]}, "non_preferred_output is not a list"),
        (shared({"from": "human", "value": 3}, GA), "content is not text"),
        (shared(HU, {"from": "function_call", "value": "{}"}), "unknown role 'function_call'"),
        (shared(HU, GA, system=3), "system is not text"),
        (shared(HU, chosen=GA, rejected=GA), "chosen equals rejected"),
        ({**ALPACA, "output": " "}, "empty reply"),
        ({**ALPACA, "instruction": " "}, "empty user message"),
        ({**ALPACA, "history": "hi"}, "history is not a list of pairs"),
        ({**ALPACA, "history": [["hi"]]}, "history is not a list of pairs"),
        ({**ALPACA, "kto_tag": "no"}, "kto_tag is not true or false"),
        ({"instruction": "hi", "chosen": "yo", "rejected": "yo"}, "chosen equals rejected"),
        ({"prompt": [U], "chosen": [A], "rejected": [A]}, "chosen equals rejected"),
        ({"prompt": "hi", "chosen": "yo", "rejected": " "}, "empty reply"),
        ({"prompt": "hi", "chosen": "yo", "rejected": None}, "rejected is not a list"),
        ({"prompt": " ", "chosen": "yo", "rejected": "no"}, "empty user message"),
        ({"prompt": [S], "chosen": "yo", "rejected": "no"}, "no user message"),
        ({"prompt": [U, A], "completion": "yo"}, "before the reply is not the user's"),
        ({"prompt": [U], "chosen": [U], "rejected": [B]}, "chosen is not the assistant's"),
        ({"prompt": [U], "chosen": [S, A], "rejected": [B]}, "more than one reply"),
        ({"chosen": "yo", "rejected": "no"}, "no known format; its keys: chosen, rejected"),
        ({"prompt": None, "chosen": "yo", "rejected": "no"}, "no prompt"),
        ({"chosen": [U, A], "rejected": [S, B]}, "differ in more than the last"),
        ({"chosen": [A], "rejected": [B]}, "no user message"),
        ({"prompt": "hi", "completion": "yo", "label": "yes"}, "label is not true or false"),
        ({"completion": "yo", "label": True}, "no prompt"),
        ({"prompt": "hi", "completion": "", "label": True}, "empty reply"),
        ({"prompt": "hi", "response": "yo", "label": "5"}, "label '5' is not yes or no"),
        ({"tutee": 2}, "written by a newer Tutee"),
        ({"tutee": "x"}, "tutee is not a version number"),
        ({"tutee": 1}, "kind"),
        ({**(row(VERDICT, "tutee") or {}), "label": "perhaps"}, "verdict.label: .*boolean"),
    ],
)
def test_a_row_is_refused_with_its_reason(given: object, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        read(given, ORIGIN)


def test_a_reply_that_cannot_be_learned_is_refused_alone() -> None:
    _, held = read(messages(U, A, B, U, {**A, "content": " "}), ORIGIN)
    assert [dedup_key(record) for record in held.records] == [dedup_key(ASKED)]
    assert held.refused == ("the message before the reply is not the user's", "empty reply")


def test_a_format_that_is_asked_for_is_the_one_taken() -> None:
    both = {**ALPACA, **messages(U, B)}
    assert found(both, "alpaca") == ("alpaca", [dedup_key(ASKED)])
    assert found(both, "messages") == (
        "messages",
        [dedup_key(instruction(USER, completion="hello"))],
    )
    with pytest.raises(RowError, match="not in the format sharegpt; its keys: instr"):
        read(both, ORIGIN, "sharegpt")


WHOLE = [
    *({**messages(S, U, A), tag: True} for tag in ("label", "x")),
    {"input": messages(U), "preferred_output": [A], "non_preferred_output": [B]},
    shared(HU, GA, system="Be brief."),
    shared(HU, chosen=GA, rejected=GB),
    {**ALPACA, "system": "Be brief.", "history": [["hi", "yo"]]},
    {**ALPACA, **PAIR},
    {"prompt": [U], "chosen": [A], "rejected": [B], "model": "m", "created_at": 1},
    {"prompt": "hi", "completion": "yo", "label": True, "conversation_id": "c"},
    {"question": "hi", "answer": "yo", "rating": 1},
    *(row(record, "tutee") or {} for record in (ASKED, PREFERENCE, VERDICT)),
]
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1e400, "", "x", "\ud83d", [], ["x"], [[]], {}, {"x": 1}]
)


@given(row=st.sampled_from(WHOLE), junk=JUNK, data=st.data())
def test_whatever_stands_in_a_row_is_read_or_refused(row: Any, junk: Any, data: Any) -> None:
    row = copy.deepcopy(row)
    at = row
    while True:
        places = list(at) if isinstance(at, dict) else list(range(len(at)))
        place = data.draw(st.sampled_from(places))
        if not isinstance(at[place], dict | list) or not at[place] or data.draw(st.booleans()):
            break
        at = at[place]
    at[place] = junk
    for name in (None, *NAMES):
        with suppress(RowError):
            _, held = read(row, ORIGIN, name)
            assert held.records
            for record in held.records:
                record.model_dump_json()  # nothing in it that no file can hold


# -- where it comes from -------------------------------------------------------------------------


def test_what_a_row_tells_of_itself_is_kept() -> None:
    told = {**messages(U, A), "model": "gpt-x", "created_at": "2024-05-29T00:33:03Z"}
    (record,) = read(told, ORIGIN)[1].records
    assert record.origin == ORIGIN.model_copy(update={"model": "gpt-x"})
    assert record.created == datetime(2024, 5, 29, 0, 33, 3, tzinfo=UTC)


def test_what_belongs_together_is_held_out_together() -> None:
    def conversation(given: dict[str, Any]) -> str | None:
        (one, *others) = {record.conversation_id for record in read(given, ORIGIN)[1].records}
        assert not others
        return one

    whole = conversation(messages(U, A, U, B))
    assert whole == conversation(messages(U, B))  # the same opening
    assert whole == conversation({"prompt": "hi", **PAIR})
    assert whole != conversation(messages({**U, "content": "ho"}, A))
    assert whole != conversation(messages(S, U, A))
    named = {"conversation_id": "c1"}
    assert conversation({**messages(U, A), **named}) == conversation(
        {**messages({**U, "content": "ho"}, A), **named}
    )


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-02T03:04:05+00:00",
        "2024-01-02T05:04:05+02:00",
        "2024-01-02 03:04:05",
        1704164645,
        1704164645.0,
        1704164645000,
    ],
)
def test_a_time_is_read_however_it_is_written(value: object) -> None:
    assert parse_time(value) == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "yesterday", "", True, 1e300, float("nan"), [], {}])
def test_what_is_no_time_is_none(value: object) -> None:
    assert parse_time(value) is None


# -- rows of other tools ---------------------------------------------------------------------------

HUMAN = "\n\nHuman: hi\n\nAssistant: yo\n\nHuman: hi\n\nAssistant: "
TURNS = (USER, YO, USER)


@pytest.mark.parametrize(
    ("given", "name", "records"),
    [
        (
            {"chosen": HUMAN + "good", "rejected": HUMAN + "bad"},
            "trl",
            [Preference(prompt=TURNS, chosen="good", rejected="bad")],
        ),
        (
            {"prompt": HUMAN, "chosen": "good", "rejected": "bad"},
            "trl",
            [Preference(prompt=TURNS, chosen="good", rejected="bad")],
        ),
        ({**ALPACA, "output": ["yo", "hello"]}, "alpaca", [PREFERENCE]),
        ({"instruction": "hi", "chosen": [U, A], "rejected": [U, B]}, "alpaca", [PREFERENCE]),
        ({**messages(U, A), "rejected_response": "hello"}, "messages", [PREFERENCE]),
        (
            {"question": "hi", "response_chosen": "yo", "response_rejected": "hello"},
            "columns",
            [PREFERENCE],
        ),
        (
            {"instruction": "hi", "chosen_response": "yo", "rejected_response": "hello"},
            "columns",
            [PREFERENCE],
        ),
        ({"query": "hi", "response": "hello", "history": [["hi", "yo"]]}, "columns", [SECOND]),
        (
            {"instruction": "hi", "context": "there", "response": "yo"},
            "columns",
            [instruction(ChatMessage(role="user", content="hi\nthere"))],
        ),
        ({"text_input": "hi", "output": "yo"}, "columns", [ASKED]),
        ({"inputs": "hi", "targets": "yo"}, "columns", [ASKED]),
        (messages({**U, "role": "Human"}, {**A, "role": " GPT "}), "messages", [ASKED]),
        (messages({**U, "role": "USER"}, {**A, "role": "Bot"}), "messages", [ASKED]),
        (
            {
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "h"}, {"text": "i"}]},
                    {"role": "model", "parts": [{"text": "yo"}]},
                ],
            },
            "gemini",
            [BRIEF],
        ),
        (
            {
                "instruction": "hi",
                "completions": [
                    {"response": "hello", "overall_score": 3, "fine-grained_score": 2.5},
                    {"response": "yo", "overall_score": 9, "fine-grained_score": 4.5},
                    {"response": "yes", "overall_score": 9, "fine-grained_score": 4.0},
                    {"response": "no", "overall_score": 1, "fine-grained_score": 5.0},
                ],
            },
            "ranked",
            [PREFERENCE],
        ),
        (
            {
                "prompt": "\n\nHuman: hi\n\nAssistant: ",
                "answers": [{"answer": "hello", "rank": 2}, {"answer": "yo", "rank": 1}],
            },
            "ranked",
            [PREFERENCE],
        ),
    ],
)
def test_the_rows_of_other_tools_are_read(
    given: dict[str, Any], name: str, records: list[Record]
) -> None:
    assert found(given) == (name, [dedup_key(record) for record in records])


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            {"chosen": HUMAN + "a", "rejected": "\n\nHuman: ho\n\nAssistant: b"},
            "more than the last",
        ),
        ({"chosen": HUMAN + "a", "rejected": HUMAN + "a "}, "chosen equals rejected"),
        ({"chosen": HUMAN + "a", "rejected": "b"}, "no prompt"),
        ({"prompt": "hi", "chosen": "a", "rejected": None}, "rejected is not a list"),
        ({**ALPACA, "output": ["yo"]}, "output is not one reply or a pair"),
        ({**ALPACA, "output": ["yo", 3]}, "output is not text"),
        ({"query": "hi", "response": "yo", "history": "hi"}, "history is not a list of pairs"),
        ({"question": "hi", "answer": "yo", "context": {"a": 1}}, "context is not text"),
        ({"contents": [{"role": "user", "parts": [{"inlineData": {}}]}]}, "part that is not text"),
        (
            {"prompt": "hi", "answers": [{"answer": "a", "rank": 1}, {"answer": "b", "rank": 1}]},
            "it is a tie",
        ),
        (messages(U, {"role": "Tool", "content": "x"}, A), "unknown role 'Tool'"),
    ],
)
def test_a_row_of_another_tool_is_refused_with_its_reason(given: object, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        read(given, ORIGIN)
