"""4 bits: chosen with a reason, and chat, every kind of training and the reward model on them.

On the processor, where bitsandbytes runs the same code slowly; the tiny model makes it seconds.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.adapters.merge import merge_adapter
from core.config import RLTuning, SFTTuning, Tuning
from core.models.folder import ModelFolder, weights
from core.models.loading import load_model, load_tokenizer, quantised
from core.models.quantization import choose
from core.serving.engine import Engine
from core.training import dpo, reward, rloo, sft
from core.training.memory_budget import needed, read_shape
from core.training.rollout import Rollout
from core.training.run_control import RunControl
from data.tokenization import Sample, encode, encode_prompt
from store.records import ChatMessage, Sampling

ASK = (ChatMessage(role="user", content="hello world"),)
GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=8)
BILLION = 10**9
SETTINGS = Tuning(
    epochs=30, batch_size=4, rank=4, alpha=8, rehearsal=0, sft=SFTTuning(learning_rate=1e-2)
)


@pytest.fixture
def folder(tiny_folder: ModelFolder) -> ModelFolder:
    return replace(tiny_folder, four_bit="always")


@pytest.fixture
def tokenizer(folder: ModelFolder) -> Any:
    return load_tokenizer(folder)


def samples(tokenizer: Any, reply: str) -> list[Sample]:
    turns = [(ChatMessage(role="user", content=f"hello {n}"),) for n in range(4)]
    return [encode(tokenizer, turn, reply) for turn in turns]


def test_it_is_chosen_only_where_a_card_would_not_hold_the_base_twice() -> None:
    assert choose("auto", 500 * 10**6, 8 * BILLION).four_bit is False
    big = choose("auto", 7 * BILLION, 24 * BILLION)
    assert big.four_bit
    assert "29.2 GB" in big.why
    assert "24.0 GB" in big.why
    assert choose("auto", 7 * BILLION, 80 * BILLION).four_bit is False
    assert choose("auto", 7 * BILLION, None).four_bit is False
    assert choose("always", 1, None).four_bit
    assert not choose("never", 70 * BILLION, 24 * BILLION).four_bit


def test_the_weights_are_counted_from_the_headers(tiny_folder: ModelFolder) -> None:
    model = load_model(tiny_folder)
    assert weights(tiny_folder.path) == sum(p.numel() for p in model.parameters())
    assert quantised(tiny_folder).four_bit is False


def test_the_layers_are_in_nf4_twice_quantised(folder: ModelFolder) -> None:
    from bitsandbytes.nn import Linear4bit

    model = load_model(folder)
    layers = [module for module in model.modules() if isinstance(module, Linear4bit)]
    assert len(layers) == 2 * 7
    state = layers[0].weight.quant_state
    assert (state.quant_type, state.nested) == ("nf4", True)


def test_it_trains_and_answers_with_the_adapter(
    folder: ModelFolder, tokenizer: Any, tmp_path: Path
) -> None:
    taught = samples(tokenizer, "positive")
    trained = sft.train(folder, tokenizer, None, taught, SETTINGS, RunControl())
    assert trained.losses[-1] < 0.3 * trained.losses[0]
    trained.save(tmp_path / "adapter")
    engine = Engine(folder, tmp_path / "adapter")
    assert "".join(engine.stream(ASK, GREEDY, 0)) != "".join(
        Engine(folder, None).stream(ASK, GREEDY, 0)
    )
    asked = (ChatMessage(role="user", content="hello 2"),)
    assert "".join(engine.stream(asked, GREEDY, 0)).startswith("positive")


def test_pairs_are_learned_on_it(folder: ModelFolder, tokenizer: Any) -> None:
    pairs = list(zip(samples(tokenizer, "yes"), samples(tokenizer, "no 42"), strict=True))
    trained = dpo.train(folder, tokenizer, None, pairs, [], SETTINGS, RunControl())
    assert trained.losses[-1] < trained.losses[0]


def test_a_reward_model_is_learned_on_it_and_scores(
    folder: ModelFolder, tokenizer: Any, tmp_path: Path
) -> None:
    good, bad = samples(tokenizer, "yes"), samples(tokenizer, "no 42")
    pairs = list(zip(good, bad, strict=True))
    trained = reward.train(folder, tokenizer, None, pairs, [], SETTINGS, RunControl())
    trained.save(tmp_path / "reward")
    scores = reward.Scorer(folder, tmp_path / "reward", RunControl())([*good, *bad])
    assert min(scores[:4]) > max(scores[4:])


def test_replies_are_reinforced_on_it(
    folder: ModelFolder, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A random model hardly ever ends; here every other token ends a reply.
    stop = frozenset(range(0, len(tokenizer), 2))
    monkeypatch.setattr("core.training.rloo_trainer.stop_ids", lambda tokenizer: stop)
    seen: list[int] = []

    def short(rollouts: Sequence[Rollout]) -> list[float]:
        lengths = [len(r.sample.input_ids) - r.sample.reply_start for r in rollouts]
        seen.extend(lengths)
        return [-float(length) for length in lengths]

    prompts = [tuple(encode_prompt(tokenizer, ASK))] * 4
    settings = Tuning(
        rank=4, rl=RLTuning(steps=2, prompts=2, generations=2, max_new_tokens=6, kl_limit=99.0)
    )
    trained = rloo.train(
        folder, tokenizer, None, prompts, prompts[:1], short, settings, RunControl()
    )
    assert trained.steps == 2
    assert len(seen) >= 2 * 4
    assert trained.model.get_base_model().is_loaded_in_4bit
    changed = [p for name, p in trained.model.named_parameters() if "lora_B" in name]
    assert any(values.abs().max() > 0 for values in changed)


def test_its_adapter_fits_the_whole_base_too(
    folder: ModelFolder, tiny_folder: ModelFolder, tokenizer: Any, tmp_path: Path
) -> None:
    from core.adapters.compatibility import tokenizer_template_hash
    from core.adapters.manifest import Manifest, write_manifest
    from core.adapters.registry import Adapters

    trained = sft.train(folder, tokenizer, None, samples(tokenizer, "no"), SETTINGS, RunControl())
    adapters = Adapters(tmp_path / "models", folder)
    with adapters.new_version("adapter") as (version, directory):
        trained.save(directory)
        write_manifest(
            directory,
            Manifest(
                version=version,
                kind="adapter",
                model=folder.id,
                revision=folder.revision,
                template=tokenizer_template_hash(tokenizer),
            ),
        )
    merged = merge_adapter(adapters, "v1", tmp_path / "merged")
    assert merged.precision == "float32"


def test_a_pass_is_said_to_need_less(tiny_folder: ModelFolder) -> None:
    shape = read_shape(tiny_folder)
    assert shape is not None
    shape = shape._replace(weights=7 * BILLION)
    whole = needed("sft", shape, Tuning(), 300, 100)
    assert whole - needed("sft", shape, Tuning(), 300, 100, four_bit=True) > 9 * BILLION
