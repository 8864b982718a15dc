"""Replies of the engine, against transformers' own `generate` and against a fresh engine.

What fits into its context, adapters and many replies at once have files of their own.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import Chat
from core.models.folder import ModelFolder, find
from core.models.loading import load_model
from core.serving.engine import Engine
from core.serving.packed.network import Network
from core.serving.packed.precision import has_fast_kernel
from core.serving.packed.prompt_cache import common_prefix
from data.tokenization import encode_prompt
from tests.core.serving.asking import (
    EXACT,
    GREEDY,
    HELLO,
    RANDOM,
    assistant,
    generated,
    reply,
    system,
    user,
)

# -- one reply -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hello", "What is the capital of France?", "你好 🐱", "x" * 700])
def test_greedy_is_transformers_greedy(engine: Engine, model: Any, text: str) -> None:
    messages = [system("Be brief."), user(text)]
    assert reply(engine, messages) == generated(model, engine, messages, GREEDY) != ""


def test_the_stats_of_a_reply_come_after_it(engine: Engine) -> None:
    stream = engine.stream(HELLO, GREEDY, seed=0)
    next(stream)
    assert engine.last is None
    list(stream)
    assert engine.last is not None
    assert engine.last.tokens == 24
    assert engine.last.truncated
    assert not engine.last.stopped
    assert engine.last.seconds > 0
    assert engine.last.prompt_tokens == len(encode_prompt(engine.tokenizer, HELLO))


def test_a_seed_gives_the_same_reply_again(engine: Engine) -> None:
    before = torch.get_rng_state()
    first = reply(engine, HELLO, RANDOM, seed=1)
    assert reply(engine, HELLO, RANDOM, seed=2) != first
    assert reply(engine, HELLO, RANDOM, seed=1) == first
    assert torch.equal(torch.get_rng_state(), before)


def test_the_token_that_ends_a_reply_is_not_shown(
    engine: Engine, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = encode_prompt(engine.tokenizer, HELLO)
    with torch.inference_mode():
        output = model.generate(
            torch.tensor([prompt], device=model.device), do_sample=False, max_new_tokens=24
        )
    tokens = output[0, len(prompt) :].tolist()
    end = next(index for index in range(3, 24) if tokens[index] not in tokens[:index])
    monkeypatch.setattr(engine, "_stop", engine._stop | {tokens[end]})
    assert reply(engine, HELLO) == engine.tokenizer.decode(tokens[:end], skip_special_tokens=True)
    assert engine.last is not None
    assert engine.last.tokens == end
    assert not engine.last.truncated
    assert not engine.last.stopped


def test_all_that_ends_a_text_ends_a_reply(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    path = Path(shutil.copytree(tiny_folder.path, tmp_path / "model"))
    (path / "generation_config.json").write_text('{"eos_token_id": [0, 7]}')
    engine = Engine(find(str(path), tmp_path, lambda event: None), None)
    assert engine._stop == {0, 7, engine.tokenizer.convert_tokens_to_ids("<|im_end|>")}


def test_a_stop_string_ends_a_reply_and_is_not_in_it(engine: Engine) -> None:
    whole = reply(engine, HELLO)
    stop = whole[5:9]
    place = whole.find(stop)
    sampling = GREEDY.model_copy(update={"stop": ("never said", stop)})
    assert reply(engine, HELLO, sampling) == whole[:place]
    assert engine.last is not None
    assert not engine.last.truncated
    assert not engine.last.stopped
    assert engine.batch([HELLO], sampling, 0) == [whole[:place]]


# -- stopping ------------------------------------------------------------------------------------


def test_a_stopped_reply_keeps_what_was_written(engine: Engine) -> None:
    whole = reply(engine, HELLO)
    pieces: list[str] = []
    for piece in engine.stream(HELLO, GREEDY, 0, lambda: len(pieces) >= 5):
        pieces.append(piece)
    assert engine.last is not None
    assert engine.last.stopped
    assert not engine.last.truncated
    assert 5 <= engine.last.tokens < 24
    assert whole.startswith("".join(pieces).rstrip("\ufffd"))
    assert reply(engine, HELLO) == whole


def test_stopping_before_the_first_token_gives_an_empty_reply(engine: Engine) -> None:
    assert list(engine.stream(HELLO, GREEDY, 0, lambda: True)) == []
    assert engine.last is not None
    assert engine.last.stopped
    assert engine.last.tokens == 0


def test_an_abandoned_stream_leaves_the_engine_usable(engine: Engine) -> None:
    whole = reply(engine, HELLO)
    stream = engine.stream(HELLO, GREEDY, 0)
    next(stream)
    del stream
    assert engine.last is None
    assert reply(engine, HELLO) == whole


# -- the cache kept from reply to reply ----------------------------------------------------------


@settings(max_examples=15)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["hello", "", "你好", "the fox"])),
        min_size=2,
        max_size=5,
    )
)
def test_edited_conversations_are_answered_as_if_new(
    tiny_folder: ModelFolder, engine: Engine, edits: list[tuple[int, str]]
) -> None:
    messages = [
        system("Be brief."),
        user("one"),
        assistant("two"),
        user("three"),
        assistant("four"),
    ]
    short = GREEDY.model_copy(update={"max_new_tokens": 8})
    for place, text in edits:
        messages[place] = messages[place].model_copy(update={"content": text})
        asked = [*messages[: max(place, 1)], user(text)]
        anew = reply(Engine(tiny_folder, None, EXACT), asked, short)
        assert reply(engine, asked, short) == anew
        engine.prefill([*asked, assistant(anew)], 8, lambda: False)


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tokens of each forward pass."""
    read: list[int] = []
    plain = Network.forward

    def counting(self: Network, parts: Any, adapter: None) -> torch.Tensor:
        read.append(len(parts[0][1]))
        return plain(self, parts)

    monkeypatch.setattr(Network, "forward", counting)
    return read


def test_a_continued_conversation_prefills_only_new_tokens(
    engine: Engine, lengths: list[int]
) -> None:
    messages = [system("Be brief."), user("hello")]
    answer = reply(engine, messages)
    before = len(encode_prompt(engine.tokenizer, messages))
    messages += [assistant(answer), user("and now?")]
    lengths.clear()
    reply(engine, messages)
    whole = len(encode_prompt(engine.tokenizer, messages))
    # The reply may be tokenized differently in the prompt; all before it is never run again.
    assert lengths[0] <= whole - before


def test_after_a_prefill_only_the_question_is_left(engine: Engine, lengths: list[int]) -> None:
    messages = [system("Be brief."), user("hello"), assistant("Hello, you.")]
    engine.prefill(messages, 24, lambda: False)
    lengths.clear()
    prompt, other = (
        encode_prompt(engine.tokenizer, [*messages, user(text)]) for text in ("and now?", "Why?")
    )
    reply(engine, [*messages, user("and now?")])
    assert lengths[0] == len(prompt) - common_prefix(prompt, other)


# -- the built-in model --------------------------------------------------------------------------


def test_the_built_in_model_knows_the_capital_of_france(builtin_folder: ModelFolder) -> None:
    engine, model = Engine(builtin_folder, None, EXACT), load_model(builtin_folder, torch.float32)
    question = [system(Chat().system_prompt), user("What is the capital of France?")]
    assert "Paris" in reply(engine, question)
    assert engine.last is not None
    assert not engine.last.truncated
    again = [*question, assistant("Paris."), user("And of Italy?")]
    wanted = [generated(model, engine, messages, GREEDY) for messages in (question, again)]
    assert [reply(engine, messages) for messages in (question, again)] == wanted
    assert engine.batch([question, again], GREEDY, 0) == wanted


def test_the_built_in_model_loses_nothing_to_four_bits(builtin_folder: ModelFolder) -> None:
    exact, packed = Engine(builtin_folder, None, EXACT), Engine(builtin_folder, None)
    assert packed.backend.precision == ("int4, head int8" if has_fast_kernel() else "fp32")
    question = [system(Chat().system_prompt), user("What is the capital of France?")]
    assert reply(packed, question) == reply(exact, question)
