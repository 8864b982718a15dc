"""Chat, SFT, the reward model and RL on a graphics card, whole in bfloat16 and in NF4.

Skipped where torch finds no card; `tests/core/serving/test_cuda_graph_decoder.py` runs on either.
Where there is one, this also prints what each took:

    .venv/bin/pytest -rP tests/core/test_cuda.py

The model is a random one of Qwen's architecture, so nothing is fetched.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import FourBit, RLTuning, SFTTuning, Tuning
from core.models.folder import ModelFolder, find
from core.models.loading import load_model, load_tokenizer
from core.runtime.device import device
from core.serving.cuda_graph_decoder import CudaGraphDecoder
from core.serving.engine import Engine
from core.training import reward, rloo, sft
from core.training.rehearsal import RehearsalPlan
from core.training.rollout import Rollout
from core.training.run_control import RunControl
from data.tokenization import Sample, encode, encode_prompt
from store.records import ChatMessage, Sampling
from tests.families import FAMILIES, make

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")

ASK = (ChatMessage(role="user", content="hello world"),)
GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=16)
SETTINGS = Tuning(
    epochs=20, batch_size=4, rank=8, alpha=16, rehearsal=0, sft=SFTTuning(learning_rate=5e-3)
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A random Qwen2.5 of 4 layers, wide enough for every matrix to be quantised."""
    path = tmp_path_factory.mktemp("cuda") / "qwen"
    family = next(family for family in FAMILIES if family.name == "qwen2.5")
    make(
        family,
        path,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        initializer_range=0.05,
    )
    return find(str(path), path.parent, lambda event: None)


@pytest.fixture(params=["never", "always"], ids=["bfloat16", "NF4"])
def folder(whole: ModelFolder, request: pytest.FixtureRequest) -> ModelFolder:
    kept: FourBit = request.param
    return replace(whole, four_bit=kept)


@pytest.fixture
def tokenizer(folder: ModelFolder) -> Any:
    return load_tokenizer(folder)


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    """Time and peak memory of each test, for who runs them with -rP."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    yield
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    print(f"{time.perf_counter() - started:.1f} s, {peak / 2**20:.0f} MiB at most")  # noqa: T201


def samples(tokenizer: Any, reply: str) -> list[Sample]:
    turns = [(ChatMessage(role="user", content=f"hello {n}"),) for n in range(4)]
    return [encode(tokenizer, turn, reply) for turn in turns]


def said(engine: Engine, turns: Sequence[ChatMessage] = ASK) -> str:
    return "".join(engine.stream(turns, GREEDY, 0))


def test_the_weights_lie_on_the_card(folder: ModelFolder) -> None:
    model = load_model(folder)
    assert {p.device.type for p in model.parameters()} == {device()}
    assert bool(getattr(model, "is_loaded_in_4bit", False)) == (folder.four_bit == "always")
    assert model.dtype == torch.bfloat16


def test_it_answers(folder: ModelFolder) -> None:
    engine = Engine(folder, None)
    assert isinstance(engine.backend, CudaGraphDecoder)
    reply = said(engine)
    assert engine.last is not None
    assert engine.last.tokens > 0
    assert said(engine) == reply, "from what it has read, as anew"
    assert said(Engine(folder, None)) == reply
    assert engine.batch([ASK, ASK], GREEDY, 0)[0] == engine.batch([ASK], GREEDY, 0)[0]
    warm = Sampling(temperature=1.5, top_p=0.9, top_k=40, min_p=0.01, max_new_tokens=16)
    drawn = ["".join(engine.stream(ASK, warm, seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_its_scores_are_near_those_of_float32(folder: ModelFolder, tokenizer: Any) -> None:
    ids = torch.tensor([encode_prompt(tokenizer, ASK)])
    with torch.inference_mode():
        model = load_model(folder)
        scores = model(ids.to(model.device)).logits[0, -1].float().cpu()
        exact = load_model(replace(folder, four_bit="never"), torch.float32)
        wanted = exact(ids.to(exact.device)).logits[0, -1].cpu()
    likeness = torch.nn.functional.cosine_similarity(scores, wanted, dim=0)
    assert likeness > (0.99 if folder.four_bit == "never" else 0.8)


def test_it_learns_and_answers_with_the_adapter(
    folder: ModelFolder, tokenizer: Any, tmp_path: Path
) -> None:
    trained = sft.train(
        folder, tokenizer, None, samples(tokenizer, "positive"), SETTINGS, RunControl()
    )
    assert trained.losses[-1] < 0.3 * trained.losses[0]
    trained.save(tmp_path / "adapter")
    asked = (ChatMessage(role="user", content="hello 2"),)
    assert said(Engine(folder, tmp_path / "adapter"), asked).startswith("positive")


def test_it_is_rehearsed_beside(folder: ModelFolder, tokenizer: Any, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 2})
    taught = samples(tokenizer, "positive")
    prompts = tuple(sample.input_ids[: sample.reply_start] for sample in taught)
    general = RehearsalPlan(prompts, 0.3, tokenizer, tmp_path)
    trained = sft.train(folder, tokenizer, None, taught, settings, RunControl(), None, general)
    assert trained.steps == 2


def test_a_reward_model_is_learned_and_scores(
    folder: ModelFolder, tokenizer: Any, tmp_path: Path
) -> None:
    good, bad = samples(tokenizer, "yes"), samples(tokenizer, "no 42")
    pairs = list(zip(good, bad, strict=True))
    trained = reward.train(folder, tokenizer, None, pairs, pairs, SETTINGS, RunControl())
    assert trained.metrics["holdout_accuracy"] == 1
    trained.save(tmp_path / "reward")
    scorer = reward.Scorer(folder, tmp_path / "reward", RunControl())
    scores = scorer([*good, *bad])
    assert min(scores[:4]) > max(scores[4:])


def test_replies_are_reinforced(
    folder: ModelFolder, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = frozenset(range(0, len(tokenizer), 2))  # a random model hardly ever ends
    monkeypatch.setattr("core.training.rloo_trainer.stop_ids", lambda tokenizer: stop)

    def short(rollouts: Sequence[Rollout]) -> list[float]:
        return [-float(len(r.sample.input_ids) - r.sample.reply_start) for r in rollouts]

    prompts = [tuple(encode_prompt(tokenizer, ASK))] * 4
    settings = Tuning(
        rank=4, rl=RLTuning(steps=3, prompts=2, generations=4, max_new_tokens=8, kl_limit=99.0)
    )
    trained = rloo.train(
        folder, tokenizer, None, prompts, prompts[:1], short, settings, RunControl()
    )
    assert trained.steps == 3
    assert all(p.isfinite().all() for p in trained.model.parameters() if p.requires_grad)
