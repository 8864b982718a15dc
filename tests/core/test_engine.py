"""The engine against transformers' own `generate`, against itself made anew, on the real model."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import Chat
from core.engine import BATCH, Engine, _groups
from core.models import ModelFolder, find, load_model
from data.masks import encode_prompt
from store.errors import TuteeError
from store.records import Sampling, Turn

GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=24)
RANDOM = Sampling(temperature=1.0, top_p=0.95, repetition_penalty=1.1, max_new_tokens=24)


def user(text: str) -> Turn:
    return Turn(role="user", content=text)


def assistant(text: str) -> Turn:
    return Turn(role="assistant", content=text)


def system(text: str) -> Turn:
    return Turn(role="system", content=text)


HELLO = [system("Be brief."), user("hello")]


@pytest.fixture(scope="module")
def engine(tiny_folder: ModelFolder) -> Engine:
    return Engine(tiny_folder, None)


def reply(engine: Engine, turns: Sequence[Turn], sampling: Sampling = GREEDY, seed: int = 0) -> str:
    return "".join(engine.stream(turns, sampling, seed))


def generated(engine: Engine, turns: Sequence[Turn], sampling: Sampling) -> str:
    """What transformers' own loop makes of the same prompt, without the end token."""
    prompt = torch.tensor([encode_prompt(engine.tokenizer, turns)], device=engine.model.device)
    output = engine.model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        max_new_tokens=sampling.max_new_tokens,
    )
    return engine.tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True)


# -- one reply -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hello", "What is the capital of France?", "你好 🐱", "x" * 700])
def test_greedy_is_transformers_greedy(engine: Engine, text: str) -> None:
    turns = [system("Be brief."), user(text)]
    assert reply(engine, turns) == generated(engine, turns, GREEDY) != ""


def test_the_reply_is_told_about_afterwards(engine: Engine) -> None:
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
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = encode_prompt(engine.tokenizer, HELLO)
    with torch.inference_mode():
        output = engine.model.generate(
            torch.tensor([prompt], device=engine.model.device), do_sample=False, max_new_tokens=24
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
    stream.close()
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
def test_conversations_edited_anywhere_are_answered_as_if_new(
    tiny_folder: ModelFolder, engine: Engine, edits: list[tuple[int, str]]
) -> None:
    turns = [system("Be brief."), user("one"), assistant("two"), user("three"), assistant("four")]
    short = GREEDY.model_copy(update={"max_new_tokens": 8})
    for place, text in edits:
        turns[place] = turns[place].model_copy(update={"content": text})
        asked = [*turns[: max(place, 1)], user(text)]
        anew = reply(Engine(tiny_folder, None), asked, short)
        assert reply(engine, asked, short) == anew


def test_a_conversation_that_goes_on_reads_only_what_is_new(engine: Engine) -> None:
    turns = [system("Be brief."), user("hello")]
    answer = reply(engine, turns)
    read: list[int] = []
    hook = engine.model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    before = len(encode_prompt(engine.tokenizer, turns))
    turns += [assistant(answer), user("and now?")]
    reply(engine, turns)
    hook.remove()
    whole = len(encode_prompt(engine.tokenizer, turns))
    # The reply may be split otherwise when read back; what came before it is never read again.
    assert read[0] <= whole - before


# -- the context ---------------------------------------------------------------------------------


def test_the_oldest_exchanges_make_room(engine: Engine) -> None:
    turns = [system("Be brief.")]
    for number in range(20):
        turns += [user(f"question {number} " + "word " * 20), assistant("answer " * 10)]
    turns.append(user("the last question"))
    assert len(encode_prompt(engine.tokenizer, turns)) > engine.context

    prompt, room = engine._fit(turns, 512)
    shown = engine.tokenizer.decode(prompt)
    assert len(prompt) + 256 <= engine.context
    assert room == min(512, engine.context - len(prompt))
    assert "Be brief." in shown
    assert "the last question" in shown
    assert "question 0" not in shown
    first = next(number for number in range(20) if f"question {number} " in shown)
    kept = [turns[0], *turns[1 + 2 * first :]]
    assert prompt == encode_prompt(engine.tokenizer, kept)
    one_more = [turns[0], *turns[1 + 2 * (first - 1) :]]
    assert len(encode_prompt(engine.tokenizer, one_more)) + 256 > engine.context


def test_a_reply_ends_where_the_context_does(engine: Engine) -> None:
    turns = [user("a b " * 170)]
    asked = GREEDY.model_copy(update={"max_new_tokens": 100_000})
    prompt, room = engine._fit(turns, asked.max_new_tokens)
    assert room == engine.context - len(prompt)
    reply(engine, turns, asked)
    assert engine.last is not None
    assert engine.last.truncated
    assert engine.last.tokens == room


def test_a_message_that_cannot_fit_is_an_error_with_the_numbers(engine: Engine) -> None:
    with pytest.raises(TuteeError) as caught:
        reply(engine, [user("hi"), assistant("hello"), user("word " * 2000)])
    size = len(encode_prompt(engine.tokenizer, [user("word " * 2000)]))
    assert f"{size:,} tokens" in caught.value.title
    assert "1,000 fit" in caught.value.title
    assert reply(engine, HELLO)


# -- adapters ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adapter(tiny_folder: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter that says something else than the base."""
    from peft import LoraConfig, get_peft_model

    path = tmp_path_factory.mktemp("adapter")
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = get_peft_model(load_model(tiny_folder), config)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(path)
    return path


def scores(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([[5, 6, 7]], device=model.device)).logits


def test_an_adapter_is_merged_into_a_plain_model(
    tiny_folder: ModelFolder, engine: Engine, adapter: Path
) -> None:
    from peft import PeftModel

    tuned = Engine(tiny_folder, adapter)
    assert type(tuned.model) is type(engine.model)
    assert not tuned.model.training
    assert [name for name, _ in tuned.model.named_modules()] == [
        name for name, _ in engine.model.named_modules()
    ]
    beside = PeftModel.from_pretrained(load_model(tiny_folder), str(adapter)).eval()
    torch.testing.assert_close(scores(tuned.model), scores(beside), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(scores(tuned.model), scores(engine.model), atol=0.1)
    assert reply(tuned, HELLO) != reply(engine, HELLO)


def test_an_adapter_changes_nothing_but_its_own_engine(
    tiny_folder: ModelFolder, adapter: Path
) -> None:
    before = Engine(tiny_folder, None)
    old = scores(before.model)
    Engine(tiny_folder, adapter)
    assert torch.equal(scores(before.model), old)


@pytest.mark.parametrize("spoil", ["absent", "damaged"])
def test_an_adapter_that_cannot_be_loaded_is_named(
    tiny_folder: ModelFolder, adapter: Path, tmp_path: Path, spoil: str
) -> None:
    broken = tmp_path / "v3"
    if spoil == "damaged":
        broken.mkdir()
        (broken / "adapter_config.json").write_text(
            (adapter / "adapter_config.json").read_text(encoding="utf-8")
        )
        (broken / "adapter_model.safetensors").write_bytes(b"half")
    with pytest.raises(TuteeError, match="v3") as caught:
        Engine(tiny_folder, broken)
    assert "tutee adapters" in caught.value.hint


# -- many replies --------------------------------------------------------------------------------


def test_a_batch_answers_as_one_would_and_in_order(engine: Engine) -> None:
    prompts = [[user("word " * (number * 7 % 23))] for number in range(2 * BATCH + 3)]
    assert engine.batch(prompts, GREEDY, seed=0) == [reply(engine, turns) for turns in prompts]


def test_a_drawn_batch_is_fixed_by_its_seed(engine: Engine) -> None:
    before = torch.get_rng_state()
    prompts = [HELLO] * (BATCH + 4)
    first = engine.batch(prompts, RANDOM, seed=1)
    assert len(set(first)) > BATCH
    assert engine.batch(prompts, RANDOM, seed=1) == first
    assert engine.batch(prompts, RANDOM, seed=2) != first
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_of_nothing_is_nothing(engine: Engine) -> None:
    assert engine.batch([], GREEDY, seed=0) == []


@given(st.lists(st.integers(1, 9000), max_size=60))
def test_batches_are_small_enough_and_hold_every_prompt_once(lengths: list[int]) -> None:
    groups = list(_groups(lengths))
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) <= BATCH
        assert len(group) == 1 or len(group) * max(lengths[index] for index in group) <= 8192


# -- the built-in model --------------------------------------------------------------------------


def test_the_built_in_model_knows_the_capital_of_france(builtin_folder: ModelFolder) -> None:
    engine = Engine(builtin_folder, None)
    question = [system(Chat().system_prompt), user("What is the capital of France?")]
    assert "Paris" in reply(engine, question)
    assert engine.last is not None
    assert not engine.last.truncated
    again = [*question, assistant("Paris."), user("And of Italy?")]
    for turns in (question, again):
        assert reply(engine, turns) == generated(engine, turns, GREEDY)
    assert engine.batch([question, again], GREEDY, 0) == [
        generated(engine, turns, GREEDY) for turns in (question, again)
    ]
