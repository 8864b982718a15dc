"""A model that would mix the samples of a packed row is refused before it learns anything."""

from typing import Any

import pytest
import torch
import transformers

from core.config import Tuning
from core.training import lora, packing_check
from store.errors import TuteeError

SMALL: dict[str, Any] = {
    "vocab_size": 200,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
}
STATE = {
    "head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}


def model(config: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize(
    "config",
    [
        transformers.Lfm2Config(**SMALL, layer_types=["conv", "full_attention"]),
        transformers.Qwen3_5TextConfig(**SMALL, **STATE),
        transformers.BloomConfig(vocab_size=200, hidden_size=32, n_layer=2, n_head=4),
    ],
    ids=lambda config: config.model_type,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_carries_a_state_along_is_refused(config: Any, dtype: torch.dtype) -> None:
    with pytest.raises(TuteeError, match=f"family {config.model_type} can chat here but cannot"):
        lora.policy(model(config).to(dtype), None, Tuning())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_only_attends_is_taken(dtype: torch.dtype) -> None:
    packing_check.require_separate_samples(model(transformers.LlamaConfig(**SMALL)).to(dtype))


def test_rounding_is_no_state() -> None:
    """On a card each length has its own kernels, and a deep model in 4 bits is rough."""
    rough = model(transformers.LlamaConfig(**SMALL))

    def round_by_length(module: Any, given: Any, hidden: torch.Tensor) -> torch.Tensor:
        noise = torch.Generator().manual_seed(hidden.shape[1])
        return hidden + 0.15 * hidden.std() * torch.randn(hidden.shape, generator=noise)

    rough.model.norm.register_forward_hook(round_by_length)
    packing_check.require_separate_samples(rough)


def test_a_model_without_a_place_for_lora_is_refused() -> None:
    config = transformers.GPT2Config(vocab_size=200, n_embd=32, n_layer=2, n_head=4)
    with pytest.raises(TuteeError, match="no layers that Tutee can add LoRA to"):
        lora.policy(model(config), None, Tuning())
