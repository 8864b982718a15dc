"""Random models of every supported family, with transformers' own as the reference."""

from pathlib import Path
from typing import Any

import torch

from core.models.folder import ModelFolder
from core.serving.packed import weights
from core.serving.packed.network import Network
from core.serving.packed.prompt_cache import KVCache, PromptCache
from core.serving.packed.quantized_linear import Kind

_BASE = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    # Far enough apart that the likeliest token does not depend on the order of a sum.
    "initializer_range": 0.3,
    "tie_word_embeddings": False,
}
_ROPE = {"rope_theta": 10000.0}

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "llama, tied": ("Llama", {"tie_word_embeddings": True}),
    "llama, one key head": ("Llama", {"num_key_value_heads": 1}),
    "llama, as many key heads": ("Llama", {"num_key_value_heads": 4}),
    "llama, biases": ("Llama", {"attention_bias": True, "mlp_bias": True}),
    "llama, head size of its own": ("Llama", {"head_dim": 24}),
    "llama, an epsilon that counts": ("Llama", {"rms_norm_eps": 0.1}),
    "llama, linear rope": (
        "Llama",
        {"rope_parameters": {**_ROPE, "rope_type": "linear", "factor": 4.0}},
    ),
    "llama 3 rope": (
        "Llama",
        {
            "rope_parameters": {
                **_ROPE,
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        },
    ),
    "yarn rope": (
        "Qwen2",
        {
            "rope_parameters": {
                **_ROPE,
                "rope_type": "yarn",
                "factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        },
    ),
    "mistral": ("Mistral", {"sliding_window": None}),
    "mistral, sliding window": ("Mistral", {"sliding_window": 16}),
    "qwen2": ("Qwen2", {}),
    "qwen2, tied": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen2, windows in upper layers": (
        "Qwen2",
        {"use_sliding_window": True, "sliding_window": 12, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3", {"head_dim": 32}),
    "qwen3, tied": ("Qwen3", {"head_dim": 16, "tie_word_embeddings": True}),
}


def make(name: str, path: Path, **changes: Any) -> tuple[Any, ModelFolder]:
    """transformers' model of that name, and the folder it is written to."""
    import transformers

    family, settings = MODELS[name]
    config = getattr(transformers, f"{family}Config")(**{**_BASE, **settings, **changes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
        for key, weight in model.named_parameters():
            if key.endswith("bias") or "norm" in key:
                torch.nn.init.normal_(weight, mean=float("norm" in key), std=0.3)
    model.save_pretrained(path)
    return model, ModelFolder(path, "tiny", "tiny", "0")


def network(folder: ModelFolder, kind: Kind = "fp32") -> Network:
    from core.serving.loading import read_config

    return weights.load(folder, read_config(folder), lambda weight: kind)


def new_cache(network: Network) -> KVCache:
    shape = network.shape
    return PromptCache(shape.layers, shape.kv_heads, shape.head_size, 0).new(None)


def tokens(count: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 400, (count,), generator=generator).tolist()


def expected(model: Any, prompt: list[int]) -> torch.Tensor:
    """transformers' logits after each token, (n, vocabulary), without any cache."""
    with torch.inference_mode():
        return model(torch.tensor([prompt])).logits[0]
