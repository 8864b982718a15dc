"""Open Assistant's trees: verdicts by majority, preferences by rank."""

from typing import Any

import pytest

from data.chat_exports.openassistant import OPENASSISTANT
from data.formats.common import RowError
from store.records import ChatMessage, Instruction, Preference, Verdict
from tests.data.chat_exports.checks import read


def reply(text: str, rank: int | None = None, **more: Any) -> dict[str, Any]:
    return {"text": text, "role": "assistant", "rank": rank, "replies": [], **more}


def asked(text: str, *replies: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"text": text, "role": "prompter", "replies": [*replies], **more}


def row(prompt: object) -> dict[str, Any]:
    return {"message_tree_id": "t", "tree_state": "ready_for_export", "prompt": prompt}


def thumbs(up: int, down: int = 0) -> dict[str, Any]:
    return {"emojis": {"+1": up, "-1": down, "_skip_reply": 9}}


def test_thumbs_are_verdicts_by_majority() -> None:
    found = read(OPENASSISTANT, row(asked(
        "hi", reply("good", **thumbs(2, 1), model_name="m"), reply("bad", **thumbs(0, 1)),
        reply("even", **thumbs(1, 1)), reply("unseen"),
    )))  # fmt: skip
    verdict, instruction, other = found.records
    assert isinstance(verdict, Verdict)
    assert isinstance(instruction, Instruction)
    assert isinstance(other, Verdict)
    assert (verdict.completion, verdict.label, verdict.origin.model) == ("good", True, "m")
    assert (instruction.completion, instruction.act) == ("good", verdict.act)
    assert (other.completion, other.label) == ("bad", False)
    assert found.refused == ("1 verdict left out: as many thumbs up as down",)
    assert found.conversations == ()


def test_the_best_is_preferred_to_each_other() -> None:
    found = read(OPENASSISTANT, row(asked(
        "hi", reply("c", 2), reply("a", 0), reply("b", 1), reply("?"), reply("also best", 0),
    )))  # fmt: skip
    pairs = [(p.chosen, p.rejected) for p in found.records if isinstance(p, Preference)]
    assert pairs == [("a", "c"), ("a", "b")]


def test_the_prompt_is_all_that_came_before() -> None:
    deep = asked("q1", reply("r1", replies=[asked("q2", reply("r2", **thumbs(1)))]))
    verdict = read(OPENASSISTANT, row(deep)).records[0]
    assert verdict.prompt == (
        ChatMessage(role="user", content="q1"),
        ChatMessage(role="assistant", content="r1"),
        ChatMessage(role="user", content="q2"),
    )


def test_the_records_of_a_tree_are_of_one_conversation() -> None:
    tree = row(asked("hi", reply("a", 0, **thumbs(1)), reply("b", 1)))
    (one,) = {record.conversation_id for record in read(OPENASSISTANT, tree).records}
    (again,) = {record.conversation_id for record in read(OPENASSISTANT, tree).records}
    assert one == again
    assert one


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"deleted": True}, "it was deleted"),
        ({"review_result": False}, "its reviewers refused it"),
        ({"role": "judge"}, "it has no known role"),
        ({"text": None}, "text is not text"),
        ({"text": " "}, "it is empty"),
        ({"text": "\ud800"}, "text contains half of a surrogate pair"),
    ],
)
def test_unusable_messages_are_skipped_with_what_follows(
    about: dict[str, Any], reason: str
) -> None:
    after = [asked("q2", reply("r2", **thumbs(1)))]
    bad = {**reply("bad", 0, **thumbs(5)), "replies": after, **about}
    found = read(OPENASSISTANT, row(asked("hi", bad, reply("ok", 1, **thumbs(1)))))
    assert [type(record) for record in found.records] == [Verdict, Instruction]
    assert found.refused == (f"1 message left out: {reason}",)


def test_the_same_reply_twice_is_no_preference() -> None:
    found = read(OPENASSISTANT, row(asked("hi", reply("a", 0), reply("a", 1), reply("b", 2))))
    assert len(found.records) == 1
    assert found.refused == ("1 preference left out: chosen equals rejected",)


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (asked("hi", reply("a"), reply("b")), "no reply is rated"),
        (None, "no reply is rated; 1 message left out: it has no known role"),
        (asked("hi", deleted=True), "no reply is rated; 1 message left out: it was deleted"),
    ],
)
def test_a_tree_without_judgement_is_refused(prompt: object, reason: str) -> None:
    with pytest.raises(RowError) as raised:
        read(OPENASSISTANT, row(prompt))
    assert str(raised.value) == reason


def test_very_deep_trees_are_read() -> None:
    deepest = asked("q", reply("r", **thumbs(1)))
    for _ in range(1500):
        deepest = asked("q", reply("r", replies=[deepest]))
    assert len(read(OPENASSISTANT, row(deepest)).records[0].prompt) == 3001
