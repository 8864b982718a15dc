"""A run of medium length ends with the mean of its second half, others with their last weights."""

from typing import Any

import pytest
import torch

from core.config import SFTTuning, Tuning
from core.models.folder import ModelFolder
from core.training import sft
from core.training.run_control import RunControl
from core.training.weight_averaging import WeightAverage
from data.tokenization import Sample
from tests.core.training.conftest import trainable


def policy() -> torch.nn.Linear:
    model = torch.nn.Linear(1, 1)
    model.bias.requires_grad = False
    return model


def walk(model: torch.nn.Linear, average: WeightAverage, steps: range) -> None:
    """Steps whose weights are their numbers."""
    for step in steps:
        model.weight.data.fill_(float(step))
        average.add(step)


def test_the_mean_counts_from_the_first_step_on_and_no_frozen_weight() -> None:
    model = policy()
    bias = model.bias.clone()
    average = WeightAverage(model, 3)
    walk(model, average, range(7))
    assert model.weight == 6
    average.apply()
    assert model.weight == (3 + 4 + 5 + 6) / 4
    assert torch.equal(model.bias, bias)


def test_a_run_too_short_for_it_keeps_its_weights() -> None:
    model = policy()
    average = WeightAverage(model, 16)
    walk(model, average, range(16))
    average.apply()
    assert model.weight == 15


def test_it_goes_on_from_what_was_kept() -> None:
    model = policy()
    first = WeightAverage(model, 3)
    walk(model, first, range(5))
    second = WeightAverage(model, 3)
    second.restore(*first.state())
    walk(model, second, range(5, 7))
    second.apply()
    assert model.weight == (3 + 4 + 5 + 6) / 4


@pytest.mark.parametrize(("steps", "first"), [(16, 16), (20, 16), (36, 18), (59, 29), (60, 60)])
def test_from_which_step_on_sft_averages(steps: int, first: int) -> None:
    assert sft.first_averaged_step(steps, Tuning().sft.minimum_steps) == first


@pytest.mark.parametrize(("least", "first"), [(1, 2), (4, 4), (5, 5)])
def test_sft_ends_with_the_mean_of_its_second_half(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample], least: int, first: int
) -> None:
    from transformers import TrainerCallback

    settings = Tuning(
        epochs=5, batch_size=6, sft=SFTTuning(learning_rate=5e-3, minimum_steps=least)
    )
    passed: list[dict[str, torch.Tensor]] = []

    class Keep(TrainerCallback):
        def on_step_end(self, *_: Any, model: Any, **__: Any) -> None:
            passed.append({name: p.clone() for name, p in trainable(model).items()})

    trainer = sft.build(tiny_folder, tokenizer, None, samples, settings, RunControl())
    trainer.add_callback(Keep)
    trainer.controlled_train()
    assert len(passed) == 5
    for name, weight in trainable(trainer.model).items():
        counted = torch.stack([after[name] for after in passed[first - 1 :]])
        torch.testing.assert_close(weight, counted.mean(0))
