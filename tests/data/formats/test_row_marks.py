"""No row teaches the opposite of what it says about its own reply."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.format_detection import read
from data.formats import RowError
from store.feedback import dedup_key
from store.records import ChatMessage, Instruction, Origin, Preference, Verdict

USER = ChatMessage(role="user", content="hi")
ASKED = Instruction(prompt=(USER,), completion="yo")
LIKED, DISLIKED = (Verdict(prompt=(USER,), completion="yo", label=good) for good in (True, False))
PAIR = Preference(prompt=(USER,), chosen="yo", rejected="no")

FORMATS: dict[str, dict[str, Any]] = {
    "messages": {
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
    },
    "sharegpt": {
        "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]
    },
    "alpaca": {"instruction": "hi", "input": "", "output": "yo"},
    "trl": {"prompt": "hi", "completion": "yo"},
    "columns": {"question": "hi", "answer": "yo"},
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [{"text": "yo"}]},
        ]
    },
}
PAIRS: dict[str, dict[str, Any]] = {
    "trl": {"prompt": "hi", "chosen": "yo", "rejected": "no"},
    "alpaca": {"instruction": "hi", "chosen": "yo", "rejected": "no"},
    "columns": {"question": "hi", "chosen_response": "yo", "rejected_response": "no"},
    "sharegpt": {
        "conversations": [{"from": "human", "value": "hi"}],
        "chosen": {"from": "gpt", "value": "yo"},
        "rejected": {"from": "gpt", "value": "no"},
    },
}


def keys(row: dict[str, Any]) -> list[object]:
    return [dedup_key(record) for record in read(row, Origin())[1].records]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "mark",
    [
        {"weight": 0},
        {"weight": 0.0},
        {"train": False},
        {"training": "false"},
        {"trainable": False},
        {"loss": False},
        {"loss": 0},
        {"loss_mask": 0},
        {"loss_weight": "0"},
        {"Loss-Scale": 0},
        {"masked": True},
        {"mask": 1},
        {"ignore": True},
        {"is_ignored": "yes"},
        {"skip": True},
        {"exclude": "true"},
        {"do_not_train": True},
        {"deleted": True},
        {"status": "discarded"},
        {"answer": "reject", "_task_hash": 1},
    ],
)
def test_a_row_marked_as_not_to_be_learned_is_refused(name: str, mark: dict[str, Any]) -> None:
    if name == "columns" and "answer" in mark:
        return  # there, it is the reply
    with pytest.raises(RowError, match="marked as"):
        read({**FORMATS[name], **mark}, Origin())


@pytest.mark.parametrize("name", ["messages", "sharegpt", "gemini"])
@pytest.mark.parametrize(
    "mark", [{"weight": 0}, {"train": False}, {"loss": False}, {"masked": True}, {"ignore": 1}]
)
def test_a_message_marked_as_not_to_be_learned_is_context(name: str, mark: dict[str, Any]) -> None:
    (key, turns), *_ = FORMATS[name].items()
    row = {key: [turns[0], {**turns[1], **mark}, *turns]}
    (record,) = read(row, Origin())[1].records
    assert [message.role for message in record.prompt] == ["user", "assistant", "user"]
    with pytest.raises(RowError, match="no reply to learn"):
        read({key: [turns[0], {**turns[1], **mark}]}, Origin())


@pytest.mark.parametrize("key", ["completion", "chosen", "rejected"])
def test_a_marked_side_is_refused(key: str) -> None:
    row = {"prompt": "hi", "completion": "yo"} if key == "completion" else PAIRS["trl"]
    marked = [{"role": "assistant", "content": "yes", "weight": 0}]
    with pytest.raises(RowError, match="marked as not to be learned"):
        read({**row, key: marked}, Origin())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "mark",
    [
        {"weight": 1},
        {"weight": None},
        {"train": True},
        {"loss": 2.31},
        {"masked": False},
        {"mask": "User"},
        {"ignore": ""},
        {"status": "submitted"},
        {"skip_prompt_formatting": True},
        {"feedback": "Well put, but long."},
        {"correct": "B"},
        {"score": None},
        {"score": "A"},
        {"image": ""},
        {"images": []},
    ],
)
def test_a_mark_that_says_nothing_against_it_is_no_hindrance(
    name: str, mark: dict[str, Any]
) -> None:
    assert keys({**FORMATS[name], **mark}) == [dedup_key(ASKED)]


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ({"weight": "some"}, "weight 'some' is not understood"),
        ({"weight": -1}, "weight -1 is not understood"),
        ({"loss_mask": [0, 1]}, r"loss_mask \[0, 1\] is not understood"),
        ({"train_detail": [{"train": False}]}, "only parts of its reply"),
        ({"rating": 1}, "rating"),
        ({"rating": "4/5"}, "rating"),
        ({"score": 0.1}, "score 0.1 is a score or a class"),
        ({"stars": "★★☆☆☆"}, "is a score or a class"),
        ({"stars": 5}, "is a score or a class"),
        ({"reward": -2.5}, "is a score or a class"),
        ({"helpfulness": 4}, "is a score or a class"),
        ({"quality": "80%"}, "is a score or a class"),
        ({"feedback": 1}, "is a score or a class"),
        ({"image": "cat.png"}, "it includes images"),
        ({"Image-Path": "cat.png"}, "it includes images"),
        ({"audio": {"bytes": "x"}}, "it includes images"),
        ({"liked": True, "flagged": True}, "contradict each other"),
    ],
)
@pytest.mark.parametrize("name", FORMATS)
def test_a_mark_that_is_no_thumb_is_refused(name: str, mark: dict[str, Any], reason: str) -> None:
    if name == "columns" and "rating" in mark:
        reason = "rating"
        if mark["rating"] == 1:
            return  # only the other rows tell; see the tests of files
    with pytest.raises(RowError, match=reason):
        read({**FORMATS[name], **mark}, Origin())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ({"rating": "up"}, LIKED),
        ({"rating": "👎"}, DISLIKED),
        ({"thumb": "down"}, DISLIKED),
        ({"liked": False}, DISLIKED),
        ({"thumbs_down": True}, DISLIKED),
        ({"feedback": "thumbs-up"}, LIKED),
        ({"is_correct": False}, DISLIKED),
        ({"is_safe": False}, DISLIKED),
        ({"accepted": True}, LIKED),
        ({"label": False}, DISLIKED),
        ({"kto_tag": True}, LIKED),
    ],
)
def test_a_thumb_under_any_name_makes_a_verdict(
    name: str, mark: dict[str, Any], expected: Verdict
) -> None:
    assert keys({**FORMATS[name], **mark}) == [dedup_key(expected)]


@pytest.mark.parametrize("name", ["messages", "sharegpt", "gemini"])
def test_a_thumb_on_a_message_is_of_that_reply(name: str) -> None:
    (key, turns), *_ = FORMATS[name].items()
    row = {key: [turns[0], {**turns[1], "rating": "down"}, *turns]}
    bad, good = read(row, Origin())[1].records
    assert dedup_key(bad) == dedup_key(DISLIKED)
    assert isinstance(good, Instruction)


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ({"score_chosen": 7.0, "score_rejected": 7.0}, "it is a tie"),
        ({"score_chosen": 3, "score_rejected": 9}, "the rejected reply is the better one"),
        ({"chosen-rating": "3", "rejected-rating": "9"}, "the rejected reply is the better one"),
        ({"chosen_avg_rating": 3.5, "rejected_avg_rating": 4.0}, "is the better one"),
        ({"reward_chosen": -2, "reward_rejected": -1}, "is the better one"),
        ({"chosen_rank": 2, "rejected_rank": 1}, "is the better one"),
        ({"margin": 0}, "it is a tie"),
        ({"margin": -0.5}, "is the better one"),
        ({"preference_strength": 0}, "it is a tie"),
        ({"preference": "tie"}, "it is a tie"),
        ({"winner": "Tie (both bad)"}, "it is a tie"),
        ({"is_tie": True}, "it is a tie"),
        ({"preference": "rejected"}, "preference 'rejected' is not understood"),
        ({"winner": "B"}, "winner 'B' is not understood"),
        ({"ignore": True}, "marked as not to be learned"),
        ({"image": "x.png"}, "it includes images"),
    ],
)
@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_that_its_row_contradicts_is_refused(
    name: str, mark: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RowError, match=reason):
        read({**PAIRS[name], **mark}, Origin())


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    "mark",
    [
        {"score_chosen": 9, "score_rejected": 3.5},
        {"chosen-rating": None, "rejected-rating": None},
        {"chosen_rank": 1, "rejected_rank": 2},
        {"chosen_tokens": 3, "rejected_tokens": 9},
        {"preference": "chosen"},
        {"is_tie": False},
        {"margin": 1.5},
    ],
)
def test_a_pair_that_its_row_confirms_is_read(name: str, mark: dict[str, Any]) -> None:
    assert keys({**PAIRS[name], **mark}) == [dedup_key(PAIR)]


@pytest.mark.parametrize("other", ["yo", "yo \n", "\n yo", "<think>Hm.</think>yo"])
def test_a_pair_without_a_difference_is_refused(other: str) -> None:
    for row in PAIRS.values():
        for key in row:
            if "rejected" in key:
                side = {"from": "gpt", "value": other} if isinstance(row[key], dict) else other
                with pytest.raises(RowError, match="chosen equals rejected"):
                    read({**row, key: side}, Origin())


@pytest.mark.parametrize(
    "content",
    [
        "<image>\nWhat is this?",
        "What is this? <image>",
        "Look:\n<image>\nand say.",
        "<|image_1|> What?",
        "<|vision_start|><|image_pad|><|vision_end|>What?",
        "<start_of_image> What?",
        "[IMG] What?",
        "<audio>",
        "![](data:image/png;base64,iVBORw0KGgo=) What?",
    ],
)
def test_a_picture_in_the_text_is_refused(content: str) -> None:
    with pytest.raises(RowError, match="includes images"):
        read({"prompt": content, "completion": "A cat."}, Origin())


@pytest.mark.parametrize(
    "content",
    [
        "What does <image> do in SVG?",
        "Fix:\n<video>\n<source src='a.mp4'>\n</video>",
        "Why a data URL?",
        "[1] and <b>bold</b>",
    ],
)
def test_text_about_pictures_is_text(content: str) -> None:
    assert read({"prompt": content, "completion": "So."}, Origin())[1].records


@given(
    value=st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())
    ),
    key=st.sampled_from(
        ["weight", "mask", "label", "rating", "score", "liked", "margin", "status"]
    ),
)
def test_whatever_a_mark_is_the_row_is_read_or_refused(key: str, value: object) -> None:
    for row in (*FORMATS.values(), *PAIRS.values()):
        with suppress(RowError):
            assert read({**row, key: value}, Origin())[1].records
