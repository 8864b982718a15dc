"""Which tokens a model reads, and which it learns."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from data.masks import Sample, encode, encode_prompt, stop_ids
from store.errors import TuteeError
from store.records import Turn
from tests.data import tiny

PROMPT = (
    Turn(role="user", content="hi"),
    Turn(role="assistant", content="yo"),
    Turn(role="user", content="Paris?"),
)
MODELS = [tiny.smollm2, tiny.qwen, tiny.llama3, tiny.llama2, tiny.thinking, tiny.plain]
Build = Callable[[], PreTrainedTokenizerFast]


def learned(tokenizer: PreTrainedTokenizerFast, sample: Sample) -> str:
    """The text that carries loss."""
    return str(tokenizer.decode(list(sample.input_ids[sample.reply_start :])))


def text(tokenizer: PreTrainedTokenizerFast, prompt: tuple[Turn, ...]) -> str:
    return str(tokenizer.decode(encode_prompt(tokenizer, prompt)))


@pytest.mark.parametrize("build", MODELS)
def test_the_chat_is_fed_what_the_template_renders(build: Build) -> None:
    tokenizer = build()
    expected = tokenizer.apply_chat_template(
        [turn.model_dump() for turn in PROMPT],
        tokenize=True,
        add_generation_prompt=True,
        return_dict=True,
    )
    assert encode_prompt(tokenizer, PROMPT) == expected["input_ids"]


def test_chatml_ends_where_the_assistant_begins() -> None:
    assert text(tiny.smollm2(), PROMPT[:1]) == (
        "<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n"
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (tiny.smollm2, "yes<|im_end|>"),
        (tiny.qwen, "yes<|im_end|>"),
        (tiny.llama3, "yes<|eot_id|>"),
        (tiny.llama2, " yes </s>"),
        (tiny.thinking, "yes<|im_end|>"),
        (tiny.plain, "yes<eos>"),
    ],
)
def test_the_reply_and_its_end_are_learned_and_nothing_else(build: Build, expected: str) -> None:
    assert learned(build(), encode(build(), PROMPT, "yes")) == expected


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (tiny.smollm2, {"<|im_end|>"}),
        (tiny.qwen, {"<|im_end|>", "<|endoftext|>"}),
        (tiny.llama3, {"<|eot_id|>", "<|end_of_text|>"}),
        (tiny.llama2, {"</s>"}),
        (tiny.plain, {"<eos>"}),
    ],
)
def test_the_chat_stops_at_the_end_of_turn_and_at_eos(build: Build, expected: set[str]) -> None:
    tokenizer = build()
    assert set(tokenizer.convert_ids_to_tokens(sorted(stop_ids(tokenizer)))) == expected


REPLIES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda reply: reply.strip() and "<" not in reply
)


@pytest.mark.parametrize("build", MODELS)
@given(reply=REPLIES | st.sampled_from(["\nyes", "\n\nyes", " yes ", "  yes\n", "\u2028😀", "é"]))
def test_the_prompt_is_a_strict_prefix_whatever_the_reply(build: Build, reply: str) -> None:
    tokenizer = build()
    sample = encode(tokenizer, PROMPT, reply)
    prompt = encode_prompt(tokenizer, PROMPT)
    assert list(sample.input_ids[: sample.reply_start]) == prompt
    assert sample.reply_start == len(prompt)
    assert len(sample.input_ids) > len(prompt) + 1
    assert sample.input_ids[-1] in stop_ids(tokenizer)
    assert not stop_ids(tokenizer) & set(sample.input_ids[sample.reply_start : -1])
    said = learned(tokenizer, sample)
    assert reply.strip() in said


@given(reply=REPLIES)
def test_chatml_learns_the_reply_to_the_letter(reply: str) -> None:
    assert learned(tiny.smollm2(), encode(tiny.smollm2(), PROMPT, reply)) == reply + "<|im_end|>"


def test_a_reply_does_not_melt_into_the_prompt() -> None:
    """Two line feeds are one token, but the chat has fed the first of them already."""
    tokenizer = tiny.smollm2()
    assert tokenizer.tokenize("\n\n") == ["ĊĊ"]
    assert learned(tokenizer, encode(tokenizer, PROMPT, "\nyes")) == "\nyes<|im_end|>"


def test_a_template_that_trims_is_followed() -> None:
    tokenizer = tiny.llama3()
    assert learned(tokenizer, encode(tokenizer, PROMPT, "\n yes \n")) == "yes<|eot_id|>"


def test_what_is_learned_is_what_the_next_turn_shows() -> None:
    for build in (tiny.smollm2, tiny.qwen, tiny.llama3, tiny.llama2):
        tokenizer = build()
        sample = encode(tokenizer, PROMPT, "yes")
        told = (*PROMPT, Turn(role="assistant", content="yes"), Turn(role="user", content="ok"))
        shown = encode_prompt(tokenizer, told)
        assert tuple(shown[: len(sample.input_ids)]) == sample.input_ids


def test_a_reply_that_names_the_template_keeps_its_own_end() -> None:
    tokenizer = tiny.plain()
    assert learned(tokenizer, encode(tokenizer, PROMPT, "user: x\n")) == "user: x\n<eos>"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda: tiny.tokenizer(None, ("<eos>",), "<eos>"), "chat template"),
        (lambda: tiny.tokenizer("{{ nothing.at.all }}", ("<eos>",), "<eos>"), "chat template"),
        (lambda: tiny.tokenizer(tiny.PLAIN, (), None), "no token that ends"),
    ],
)
def test_a_tokenizer_that_cannot_chat_is_a_clear_error(broken: Build, reason: str) -> None:
    with pytest.raises(TuteeError, match=reason):
        encode(broken(), PROMPT, "yes")


def test_turns_that_a_template_refuses_are_a_clear_error() -> None:
    turns = (Turn(role="system", content="Be brief."), *PROMPT)
    with pytest.raises(TuteeError, match="System role not supported"):
        encode_prompt(tiny.llama2(), turns)
