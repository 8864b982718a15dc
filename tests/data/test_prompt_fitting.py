"""Long conversations lose their oldest questions, in chat and training alike."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.prompt_fitting import DROPPED_TOGETHER, fit_prompt, fit_samples, shortened
from data.tokenization import encode, encode_prompt
from store.records import ChatMessage
from tests.data import tiny

SYSTEM = ChatMessage(role="system", content="Be brief.")


def conversation(questions: int, system: bool = True) -> list[ChatMessage]:
    """Return so many questions, answered but for the last."""
    messages = [SYSTEM] * system
    for number in range(questions):
        messages += [
            ChatMessage(role="user", content=f"question {number}?"),
            ChatMessage(role="assistant", content=f"answer {number}."),
        ]
    return messages[:-1]


@given(st.integers(1, 30), st.booleans())
def test_the_oldest_questions_go_first_and_the_last_one_stays(count: int, system: bool) -> None:
    messages = conversation(count, system)
    found = list(shortened(messages))
    assert found[0] == messages
    for longer, shorter in pairwise(found):
        assert [*messages[:system], *longer[len(longer) - len(shorter) + system :]] == shorter
        assert shorter[system].role == "user"
        dropped = (len(longer) - len(shorter)) // 2
        assert dropped == DROPPED_TOGETHER or shorter is found[-1]
    assert found[-1] == [*messages[:system], messages[-1]]


def test_a_prompt_is_shortened_no_more_than_it_must() -> None:
    tokenizer, messages = tiny.smollm2(), conversation(20)
    sizes = [len(encode_prompt(tokenizer, kept)) for kept in shortened(messages)]
    for index, size in enumerate(sizes):
        prompt, dropped = fit_prompt(tokenizer, messages, size)
        assert len(prompt) == size
        assert dropped == len(messages) - len(list(shortened(messages))[index])
    assert len(fit_prompt(tokenizer, messages, sizes[-1] - 1)[0]) == sizes[-1]


@pytest.mark.parametrize("room", [40, 100, 200, 10_000])
def test_training_sees_the_prompt_of_the_chat(room: int) -> None:
    tokenizer, messages = tiny.smollm2(), conversation(20)
    (sample,) = fit_samples(tokenizer, messages, ["Paris."], room)
    reply = len(sample.input_ids) - sample.reply_start
    prompt, _ = fit_prompt(tokenizer, messages, room - reply)
    assert list(sample.input_ids[: sample.reply_start]) == prompt
    assert len(sample.input_ids) <= room or prompt == encode_prompt(
        tokenizer, [messages[0], messages[-1]]
    )


def test_the_replies_of_a_pair_keep_the_same_prompt() -> None:
    tokenizer, messages = tiny.smollm2(), conversation(20)
    short, long = "Paris.", "Paris, " * 40
    room = len(encode(tokenizer, messages, short).input_ids)
    one, other = fit_samples(tokenizer, messages, [short, long], room)
    assert one.input_ids[: one.reply_start] == other.input_ids[: other.reply_start]
    assert len(other.input_ids) <= room
    assert fit_samples(tokenizer, messages, [short], room) == [encode(tokenizer, messages, short)]
