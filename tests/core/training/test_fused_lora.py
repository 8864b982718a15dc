"""A layer with LoRA in one step: the results and gradients of PEFT, whatever the adapter is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from core.training.fused_lora import fuse

ROWS = (2, 5)
"""Samples and tokens of the input."""


def small(**extra: Any) -> Any:
    """Return two layers, one with a bias, under an adapter that is not zero."""
    torch.manual_seed(0)
    base = torch.nn.Sequential(
        torch.nn.Linear(8, 12), torch.nn.SiLU(), torch.nn.Linear(12, 6, bias=False)
    )
    config = LoraConfig(r=4, lora_alpha=12, target_modules=["0", "2"], **extra)
    model = get_peft_model(base, config)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    model.dtype, model.device = torch.float32, torch.device("cpu")
    return model


def results(model: Any) -> tuple[Any, ...]:
    """Return what `model` computes, the gradient by its input, and those of the adapter."""
    torch.manual_seed(1)
    x = torch.randn(*ROWS, 8, requires_grad=True)
    output = model(x)
    output.pow(2).sum().backward()
    return output, x.grad, *(p.grad for p in model.parameters() if p.requires_grad)


def test_it_computes_what_peft_computes() -> None:
    fused = small()
    fuse(fused)
    assert type(fused.base_model.model[0]).__name__ == "FusedLinear"
    for one, other in zip(results(fused), results(small()), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "extra", [{"use_dora": True}, {"use_rslora": True}, {"lora_dropout": 0.5}, {"lora_bias": True}]
)
def test_other_kinds_of_adapter_compute_as_before(extra: dict[str, Any]) -> None:
    fused = small(**extra)
    fuse(fused)
    torch.manual_seed(2)
    expected = results(small(**extra))
    torch.manual_seed(2)
    for one, other in zip(results(fused), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


def test_a_disabled_or_merged_adapter_is_peft_s_affair() -> None:
    fused, plain = small(), small()
    fuse(fused)
    x = torch.randn(*ROWS, 8)
    with fused.disable_adapter(), plain.disable_adapter():
        assert torch.equal(fused(x), plain(x))
    expected = plain(x)
    fused.merge_adapter()
    torch.testing.assert_close(fused(x), expected)
    fused.unmerge_adapter()
    torch.testing.assert_close(fused(x), expected)


def test_the_adapter_is_saved_as_peft_saves_it(tmp_path: Path) -> None:
    fused = small()
    fuse(fused)
    fused.save_pretrained(tmp_path)
    saved = {path.name for path in tmp_path.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= saved


def test_a_gpu_or_another_type_keeps_peft_s_layers() -> None:
    model = small()
    model.dtype = torch.bfloat16
    fuse(model)
    assert type(model.base_model.model[0]).__name__ == "Linear"
