"""Rehearsal must pull towards the base, and only where the policy has left it."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import PreferenceTuning, SFTTuning, Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.training import dpo, kto, lora, sft
from core.training.base_replies import brief_replies
from core.training.logprobs import reply_logits
from core.training.micro_batches import packed_row
from core.training.rehearsal import Rehearsal, RehearsalPlan, divergence
from core.training.run_control import RunControl
from data.tokenization import Sample
from tests.core.training.conftest import trainable

SETTINGS = Tuning(epochs=12, batch_size=3, sft=SFTTuning(learning_rate=1e-2))


@pytest.fixture
def taught(samples: list[Sample]) -> list[Sample]:
    return samples[:3]


@pytest.fixture
def general(sample: Any) -> list[Sample]:
    return [sample("the answer is 42", "hello world"), sample("Paris", "the capital of France")]


def distance(model: Any, general: list[Sample], policy: Any) -> float:
    """Nats a token of `policy` from the base, on all general texts."""
    found: torch.Tensor = drift(Rehearsal(model, general, 1.0, RunControl()), policy, 0)
    return found.item()


def drift(rehearsal: Rehearsal, model: Any, step: int) -> Any:
    row = packed_row(rehearsal.texts(step), model.dtype)
    return rehearsal.divergence(reply_logits(model, row), step)


def test_of_all_tokens_the_divergence_is_torchs() -> None:
    torch.manual_seed(0)
    wanted, given = torch.randn(4, 7).softmax(-1), torch.randn(4, 7).log_softmax(-1)
    exact = torch.nn.functional.kl_div(given, wanted, reduction="none").sum(-1)
    torch.testing.assert_close(divergence(wanted, given), exact, rtol=1e-4, atol=1e-4)


def test_what_is_not_among_the_likeliest_counts_as_one_token() -> None:
    # 0.5 and 0.5 for the rest, against 0.25 and 0.75: by hand, ln 2 / 2 + ln (2/3) / 2.
    found = divergence(torch.tensor([[0.5]]), torch.tensor([[0.25]]).log())
    assert found.item() == pytest.approx(0.5 * 0.693147 + 0.5 * -0.405465, abs=1e-5)


def test_an_untrained_policy_is_where_the_base_is(
    tiny_folder: ModelFolder, general: list[Sample]
) -> None:
    model = lora.with_lora(load_model(tiny_folder), SETTINGS, task_type="CAUSAL_LM")
    loss = drift(Rehearsal(model, general, 1.0, RunControl()), model, 0)
    assert loss.item() == pytest.approx(0, abs=1e-4)
    loss.backward()
    assert all(p.grad.abs().max() < 1e-2 for p in model.parameters() if p.grad is not None)


def test_each_step_takes_the_next_texts_in_turn(
    tiny_folder: ModelFolder,
    tokenizer: Any,
    general: list[Sample],
    samples: list[Sample],
    taught: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = sft.train(tiny_folder, tokenizer, None, taught, SETTINGS, RunControl())
    monkeypatch.setattr("core.training.rehearsal.TEXTS_PER_STEP", 2)
    texts = [*general, *samples[3:5]]  # two steps
    rehearsal = Rehearsal(policy.model, texts, 1.0, RunControl())
    first, second, third = (drift(rehearsal, policy.model, step).item() for step in range(3))
    assert first != pytest.approx(second)
    assert third == pytest.approx(first)


def test_texts_read_in_one_row_are_predicted_as_if_read_alone(
    tiny_folder: ModelFolder, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = lora.with_lora(load_model(tiny_folder), SETTINGS, task_type="CAUSAL_LM")
    rows: list[int] = []

    def counted(row: list[Sample], dtype: torch.dtype) -> dict[str, Any]:
        rows.append(len(row))
        return packed_row(row, dtype)

    monkeypatch.setattr("core.training.rehearsal.packed_row", counted)
    together = Rehearsal(model, samples, 1.0, RunControl())._base
    assert sum(rows) == len(samples) > len(rows)
    monkeypatch.setattr("core.training.micro_batches.EVALUATION_TOKENS", 1)
    alone = Rehearsal(model, samples, 1.0, RunControl())._base
    assert rows[-len(samples) :] == [1] * len(samples)
    for packed, single in zip(together, alone, strict=True):
        assert torch.equal(packed.tokens[:, :4], single.tokens[:, :4])
        torch.testing.assert_close(packed.probabilities, single.probabilities, rtol=1e-4, atol=1e-6)


@pytest.fixture
def plan(tokenizer: Any, general: list[Sample], tmp_path: Path) -> RehearsalPlan:
    prompts = tuple(sample.input_ids[: sample.reply_start] for sample in general)
    return RehearsalPlan(prompts, 1.0, tokenizer, tmp_path)


def test_the_replies_that_the_exam_reads_are_drawn_in_the_same_stage(
    tiny_folder: ModelFolder, plan: RehearsalPlan
) -> None:
    model = lora.with_lora(load_model(tiny_folder), SETTINGS, task_type="CAUSAL_LM")
    reports: list[Any] = []
    run_control = RunControl(reports.append)
    both = replace(plan, prompts=plan.prompts[:1], examined=plan.prompts[1:])
    rehearsal = both.begin(model, run_control)
    assert rehearsal
    assert len(rehearsal._samples) == 1
    assert [(r.done, r.total) for r in reports if r.stage == "base"] == [(0, 2), (2, 2)]
    before = len(reports)
    brief_replies(model, plan.tokenizer, plan.prompts[1:], plan.directory, run_control)
    assert reports[before:] == []


def replies(model: Any, plan: RehearsalPlan) -> list[Sample]:
    rehearsal = plan.begin(model, RunControl())
    assert rehearsal
    return list(rehearsal._samples)


def test_it_keeps_the_policy_nearer_to_the_base_and_learns_all_the_same(
    tiny_folder: ModelFolder, tokenizer: Any, taught: list[Sample], plan: RehearsalPlan
) -> None:
    free = sft.train(tiny_folder, tokenizer, None, taught, SETTINGS, RunControl())
    kept = sft.train(tiny_folder, tokenizer, None, taught, SETTINGS, RunControl(), None, plan)
    assert kept.losses[-1] < kept.losses[0] / 2
    general = replies(free.model, plan)
    assert distance(kept.model, general, kept.model) < distance(free.model, general, free.model) / 2


@pytest.mark.parametrize("name", ["kto", "dpo"])
def test_the_other_passes_keep_to_the_base_too(
    tiny_folder: ModelFolder, tokenizer: Any, taught: list[Sample], plan: RehearsalPlan, name: str
) -> None:
    settings = SETTINGS.model_copy(
        update={"preference": PreferenceTuning(learning_rate=1e-2, sft_weight=1.0)}
    )

    def trained(rehearsal: RehearsalPlan | None) -> Any:
        rest: Any = (settings, RunControl(), None, rehearsal)
        if name == "dpo":
            pairs = list(pairwise(taught))
            return dpo.train(tiny_folder, tokenizer, None, pairs, [], *rest).model
        labels = (True, False, True)
        judged = [kto.LabeledReply(s, label) for s, label in zip(taught, labels, strict=True)]
        return kto.train(tiny_folder, tokenizer, None, judged, [], *rest).model

    free, kept = trained(None), trained(plan)
    general = replies(free, plan)
    assert distance(kept, general, kept) < distance(free, general, free)


def test_a_weight_of_nothing_changes_nothing(
    tiny_folder: ModelFolder, tokenizer: Any, taught: list[Sample], plan: RehearsalPlan
) -> None:
    plan = replace(plan, weight=0.0)
    free = trainable(sft.train(tiny_folder, tokenizer, None, taught, SETTINGS, RunControl()).model)
    let_go = sft.train(tiny_folder, tokenizer, None, taught, SETTINGS, RunControl(), None, plan)
    assert all(torch.equal(free[name], w) for name, w in trainable(let_go.model).items())
