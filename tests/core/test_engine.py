"""The engine against transformers' own `generate`, against itself made anew, on the real model."""

import gc
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import Chat, Serving
from core.engine import BATCH, LEAVING, Engine, _groups
from core.models import ModelFolder, find, load_model
from core.serving.network import Network
from core.serving.precision import packs_fast
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


EXACT = Serving(precision="fp32")


@pytest.fixture(scope="module")
def engine(tiny_folder: ModelFolder) -> Engine:
    return Engine(tiny_folder, None, EXACT)


@pytest.fixture(scope="module")
def model(tiny_folder: ModelFolder) -> Any:
    return load_model(tiny_folder, torch.float32)


def reply(engine: Engine, turns: Sequence[Turn], sampling: Sampling = GREEDY, seed: int = 0) -> str:
    return "".join(engine.stream(turns, sampling, seed))


def generated(model: Any, engine: Engine, turns: Sequence[Turn], sampling: Sampling) -> str:
    """What transformers' own loop makes of the same prompt, without the end token."""
    prompt = torch.tensor([encode_prompt(engine.tokenizer, turns)], device=model.device)
    output = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        max_new_tokens=sampling.max_new_tokens,
    )
    return engine.tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True)


# -- one reply -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hello", "What is the capital of France?", "你好 🐱", "x" * 700])
def test_greedy_is_transformers_greedy(engine: Engine, model: Any, text: str) -> None:
    turns = [system("Be brief."), user(text)]
    assert reply(engine, turns) == generated(model, engine, turns, GREEDY) != ""


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
def test_conversations_edited_anywhere_are_answered_as_if_new(
    tiny_folder: ModelFolder, engine: Engine, edits: list[tuple[int, str]]
) -> None:
    turns = [system("Be brief."), user("one"), assistant("two"), user("three"), assistant("four")]
    short = GREEDY.model_copy(update={"max_new_tokens": 8})
    for place, text in edits:
        turns[place] = turns[place].model_copy(update={"content": text})
        asked = [*turns[: max(place, 1)], user(text)]
        anew = reply(Engine(tiny_folder, None, EXACT), asked, short)
        assert reply(engine, asked, short) == anew


def test_a_conversation_that_goes_on_reads_only_what_is_new(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [system("Be brief."), user("hello")]
    answer = reply(engine, turns)
    read: list[int] = []
    plain = Network.read

    def counting(self: Network, parts: Any, adapter: None) -> torch.Tensor:
        read.append(len(parts[0][1]))
        return plain(self, parts)

    monkeypatch.setattr(Network, "read", counting)
    before = len(encode_prompt(engine.tokenizer, turns))
    turns += [assistant(answer), user("and now?")]
    reply(engine, turns)
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

    prompt, room, forgotten = engine._fit(turns, 512)
    shown = engine.tokenizer.decode(prompt)
    assert len(prompt) + 256 <= engine.context
    assert room == min(512, engine.context - len(prompt))
    assert "Be brief." in shown
    assert "the last question" in shown
    assert "question 0" not in shown
    first = next(number for number in range(20) if f"question {number} " in shown)
    kept = [turns[0], *turns[1 + 2 * first :]]
    assert prompt == encode_prompt(engine.tokenizer, kept)
    assert forgotten == 2 * first
    assert first % LEAVING == 0
    more = [turns[0], *turns[1 + 2 * (first - LEAVING) :]]
    assert len(encode_prompt(engine.tokenizer, more)) + 256 > engine.context

    # The next question finds the same beginning, which is not read again.
    turns += [assistant("yes"), user("and one more")]
    assert engine._fit(turns, 512)[0][: len(prompt)] == prompt
    reply(engine, turns, GREEDY.model_copy(update={"max_new_tokens": 512}))
    assert engine.last is not None
    assert engine.last.forgotten == forgotten


def test_at_last_only_the_question_is_left(engine: Engine) -> None:
    turns = [system("Be brief."), user("word " * 400), assistant("yes"), user("word " * 300)]
    prompt, _, forgotten = engine._fit(turns, 512)
    assert prompt == encode_prompt(engine.tokenizer, [turns[0], turns[-1]])
    assert forgotten == 2


def test_a_reply_ends_where_the_context_does(engine: Engine) -> None:
    turns = [user("a b " * 170)]
    asked = GREEDY.model_copy(update={"max_new_tokens": 100_000})
    prompt, room, _ = engine._fit(turns, asked.max_new_tokens)
    assert room == engine.context - len(prompt)
    reply(engine, turns, asked)
    assert engine.last is not None
    assert engine.last.truncated
    assert engine.last.tokens == room


def test_what_cannot_be_answered_at_all_is_known_before_it_is_asked(engine: Engine) -> None:
    long = "word " * 2000
    engine.check([user(long), assistant("hello"), user("hi")], 512)
    for turns in ([user("hi"), assistant("hello"), user(long)], [system(long), user("hi")]):
        with pytest.raises(TuteeError, match="too long for the model"):
            engine.check(turns, 512)


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


def test_an_adapter_answers_as_it_does_in_peft(
    tiny_folder: ModelFolder, engine: Engine, adapter: Path
) -> None:
    from peft import PeftModel

    beside = PeftModel.from_pretrained(load_model(tiny_folder, torch.float32), str(adapter)).eval()
    for tuned in (Engine(tiny_folder, adapter, EXACT), engine.with_adapter(adapter)):
        for turns in (HELLO, [*HELLO, assistant("the fox"), user("and now?")]):
            answer = reply(tuned, turns)
            assert answer == generated(beside, engine, turns, GREEDY)
            assert answer != reply(engine, turns)
        assert tuned.batch([HELLO], GREEDY, 0) == [reply(tuned, HELLO)]


def test_an_adapter_changes_nothing_but_its_own_engine(engine: Engine, adapter: Path) -> None:
    old = reply(engine, HELLO)
    tuned = engine.with_adapter(adapter)
    new = reply(tuned, HELLO)
    assert reply(engine, HELLO) == old
    assert reply(tuned, HELLO) == new
    assert reply(tuned.with_adapter(None), HELLO) == old


def test_fifty_changes_of_adapter_leave_nothing_behind(
    tiny_folder: ModelFolder, adapter: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(adapter, tmp_path / "v2"))
    engine = Engine(tiny_folder, None, EXACT)
    network = engine.backend.network  # type: ignore[attr-defined]
    alive = []  # how many tensors
    for number in range(50):
        engine = engine.with_adapter((None, adapter, other)[number % 3])
        assert reply(engine, HELLO)
        assert engine.backend.network is network  # type: ignore[attr-defined]
        if number % 3 == 2:
            gc.collect()
            alive.append(sum(type(o) is torch.Tensor for o in gc.get_objects()))
    assert alive[1] == alive[-1]


def test_an_adapter_beyond_plain_lora_is_merged_into_a_plain_model(
    tiny_folder: ModelFolder, adapter: Path, tmp_path: Path
) -> None:
    from core.decoding import Decoder

    path = Path(shutil.copytree(adapter, tmp_path / "v2"))
    settings = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    settings["rank_pattern"] = {"q_proj": settings["r"]}
    (path / "adapter_config.json").write_text(json.dumps(settings))
    merged = Engine(tiny_folder, path, EXACT)
    plain = Engine(tiny_folder, adapter, EXACT)
    other = plain.with_adapter(path)
    for engine in (merged, other):
        assert isinstance(engine.backend, Decoder)
        assert reply(engine, HELLO) == reply(plain, HELLO)
    assert reply(merged.with_adapter(None), HELLO) == reply(plain.with_adapter(None), HELLO)


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
        Engine(tiny_folder, broken, EXACT)
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
    engine, model = Engine(builtin_folder, None, EXACT), load_model(builtin_folder, torch.float32)
    question = [system(Chat().system_prompt), user("What is the capital of France?")]
    assert "Paris" in reply(engine, question)
    assert engine.last is not None
    assert not engine.last.truncated
    again = [*question, assistant("Paris."), user("And of Italy?")]
    wanted = [generated(model, engine, turns, GREEDY) for turns in (question, again)]
    assert [reply(engine, turns) for turns in (question, again)] == wanted
    assert engine.batch([question, again], GREEDY, 0) == wanted


def test_the_built_in_model_loses_nothing_to_four_bits(builtin_folder: ModelFolder) -> None:
    exact, packed = Engine(builtin_folder, None, EXACT), Engine(builtin_folder, None)
    assert packed.backend.precision == ("int4, head int8" if packs_fast() else "fp32")
    question = [system(Chat().system_prompt), user("What is the capital of France?")]
    assert reply(packed, question) == reply(exact, question)
