"""Drift is the divergence from the base on each reply, and nothing else."""

from typing import Any

import pytest
import torch

from core.config import Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.training import lora
from core.training.drift import drift
from core.training.run_control import RunControl
from data.tokenization import Sample
from tests.core.training.conftest import sample, samples, tokenizer  # noqa: F401


@pytest.fixture
def model(tiny_folder: ModelFolder) -> Any:
    return lora.with_lora(load_model(tiny_folder), Tuning(), task_type="CAUSAL_LM")


def test_an_untrained_adapter_has_not_drifted(model: Any, samples: list[Sample]) -> None:  # noqa: F811
    assert drift(model, samples, RunControl()) == pytest.approx([0.0] * len(samples), abs=1e-5)


def test_it_is_the_mean_divergence_over_the_tokens_of_each_reply(
    model: Any,
    samples: list[Sample],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02)
    model.eval()
    expected = []
    for one in samples:
        ids, reply = torch.tensor([one.input_ids]), slice(one.reply_start - 1, -1)
        with torch.inference_mode():
            policy = model(ids).logits[0, reply].log_softmax(-1)
            with model.disable_adapter():
                base = model(ids).logits[0, reply].log_softmax(-1)
        expected.append((base.exp() * (base - policy)).sum(-1).mean().item())
    monkeypatch.setattr("core.training.drift._LIKELIEST", 10**9)  # all of them: exact
    found = drift(model, samples, RunControl())
    assert found == pytest.approx(expected, rel=1e-2)
    assert min(found) > 0.01
    monkeypatch.undo()
    assert all(
        0 < one <= all_of_it * 1.01
        for one, all_of_it in zip(drift(model, samples, RunControl()), found, strict=True)
    )
