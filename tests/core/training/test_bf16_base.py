"""Products in bfloat16: only the frozen matrices, and next to nothing of the gradient is lost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import Tuning
from core.models.folder import ModelFolder, find
from core.models.loading import load_model
from core.training import bf16_base, lora, sft
from core.training.logprobs import reply_logits
from core.training.micro_batches import packed_row
from core.training.run_control import RunControl
from data.tokenization import Sample
from tests.families import FAMILIES, make

SETTINGS = Tuning()


@pytest.fixture(autouse=True)
def in_bfloat16(in_float32: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bf16_base, "has_bf16_instructions", lambda: True)


def small(folder: ModelFolder) -> Any:
    """A base whose activations are of ordinary size, as those of a trained model are."""
    torch.manual_seed(0)
    model = load_model(folder)
    for weight in model.parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.1)
    return model


def gradients(model: Any, samples: Sequence[Sample]) -> torch.Tensor:
    """Of the loss on `samples`, by each of the adapter's weights, in one row."""
    (-reply_logits(model, packed_row(samples, model.dtype)).logps().mean()).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_gradients_point_where_those_of_float32_do(
    tiny_folder: ModelFolder, samples: list[Sample]
) -> None:
    exact = gradients(lora.with_lora(small(tiny_folder), SETTINGS, task_type="CAUSAL_LM"), samples)
    rounded = gradients(lora.policy(small(tiny_folder), None, SETTINGS), samples)
    assert not torch.equal(exact, rounded)
    assert torch.cosine_similarity(exact, rounded, dim=0) > 0.999
    assert rounded.norm() / exact.norm() == pytest.approx(1, abs=0.02)


def test_only_the_matrices_under_the_adapter_are_rounded(tiny_folder: ModelFolder) -> None:
    policy = lora.policy(load_model(tiny_folder), None, SETTINGS)
    rounded = {n for n, p in policy.named_parameters() if p.dtype == torch.bfloat16}
    assert rounded == {n for n, _ in policy.named_parameters() if "base_layer.weight" in n}
    learning = [p for p in policy.parameters() if p.requires_grad]
    assert learning
    assert {p.dtype for p in learning} == {torch.float32}
    assert policy.dtype == torch.float32


def test_the_head_is_rounded_only_where_it_learns(
    tiny_folder: ModelFolder, samples: list[Sample]
) -> None:
    policy = lora.policy(small(tiny_folder), None, SETTINGS)
    row = packed_row(samples, policy.dtype)
    exact = reply_logits(policy, row).logits
    bf16_base.use_bf16_head(policy)
    rounded = reply_logits(policy, row).logits
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0.02)
    with torch.no_grad():
        assert torch.equal(reply_logits(policy, row).logits, exact)


def test_a_layer_keeps_its_bias(tmp_path: Path) -> None:
    make(next(family for family in FAMILIES if family.name == "qwen2.5"), tmp_path / "qwen")
    folder = find(str(tmp_path / "qwen"), tmp_path, lambda event: None)

    def hidden(rounded: bool) -> torch.Tensor:
        model = load_model(folder)
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(weight, std=0.1)
        policy = lora.with_lora(model, SETTINGS, task_type="CAUSAL_LM")
        if rounded:
            bf16_base.use_bf16_base(policy)
        with torch.inference_mode():
            return policy(torch.arange(3, 40)[None], output_hidden_states=True).hidden_states[-1]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        exact = hidden(rounded=False)
        torch.manual_seed(0)
        rounded = hidden(rounded=True)
    assert not torch.equal(exact, rounded)
    assert torch.cosine_similarity(exact.flatten(), rounded.flatten(), dim=0) > 0.999


def test_an_adapter_comes_back_as_it_was_saved(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample], tmp_path: Path
) -> None:
    trained = sft.train(tiny_folder, tokenizer, None, samples, SETTINGS, RunControl())
    trained.save(tmp_path)
    again = lora.policy(load_model(tiny_folder), tmp_path, SETTINGS)
    before = {n: p for n, p in trained.model.named_parameters() if p.requires_grad}
    assert before
    for name, weight in again.named_parameters():
        if weight.requires_grad:
            assert torch.equal(weight, before[name])


def test_the_same_again_is_the_same(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample]
) -> None:
    def trained() -> dict[str, torch.Tensor]:
        model = sft.train(tiny_folder, tokenizer, None, samples, SETTINGS, RunControl()).model
        return {n: p for n, p in model.named_parameters() if p.requires_grad}

    first, second = trained(), trained()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_processor_computes_in_float32(
    tiny_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bf16_base, "has_bf16_instructions", lambda: False)
    policy = lora.policy(load_model(tiny_folder), None, SETTINGS)
    assert {p.dtype for p in policy.parameters()} == {torch.float32}
