"""What the short list claims, against the shapes that the models' own settings give."""

from typing import Any

import pytest

from core.models.catalog import OFFERS

WIDE = {"vocab_size": 151936, "tie_word_embeddings": True}
"""Of the smaller Qwens: a vocabulary, and an output layer that repeats the embeddings."""
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "SmolLM2-135M": ("Llama", {"width": 576, "layers": 30, "inner": 1536, "heads": (9, 3)}),
    "Qwen1.5-0.5B-Chat": ("Qwen2", dict(width=1024, layers=24, inner=2816, heads=(16, 16), **WIDE)),
    "Qwen2.5-0.5B-Instruct": (
        "Qwen2",
        dict(width=896, layers=24, inner=4864, heads=(14, 2), **WIDE),
    ),
    "Qwen3-0.6B": (
        "Qwen3",
        dict(width=1024, layers=28, inner=3072, heads=(16, 8), head_dim=128, **WIDE),
    ),
    "SmolLM2-360M-Instruct": (
        "Llama",
        {"width": 960, "layers": 32, "inner": 2560, "heads": (15, 5)},
    ),
    "Qwen2.5-1.5B-Instruct": (
        "Qwen2",
        dict(width=1536, layers=28, inner=8960, heads=(12, 2), **WIDE),
    ),
    "Phi-3.5-mini-instruct": (
        "Phi3",
        {
            "width": 3072,
            "layers": 32,
            "inner": 8192,
            "heads": (32, 32),
            "vocab_size": 32064,
            "tie_word_embeddings": False,
            "pad_token_id": 32000,
        },
    ),
    "Qwen2.5-7B-Instruct": (
        "Qwen2",
        {
            "width": 3584,
            "layers": 28,
            "inner": 18944,
            "heads": (28, 4),
            "vocab_size": 152064,
            "tie_word_embeddings": False,
        },
    ),
}
REPEATED = ("Qwen1.5-0.5B-Chat", "Qwen3-0.6B")
"""Their files hold the output layer, though it repeats the embeddings."""


def counted(
    family: str, *, width: int, layers: int, inner: int, heads: tuple[int, int], **more: Any
) -> tuple[int, int]:
    """Parameters of a model of that shape, and of its output layer; nothing is kept of it."""
    from core.runtime.library_logging import hush

    hush()
    import torch
    import transformers

    settings = {"vocab_size": 49152, "tie_word_embeddings": True, **more}
    config = getattr(transformers, f"{family}Config")(
        hidden_size=width,
        num_hidden_layers=layers,
        intermediate_size=inner,
        num_attention_heads=heads[0],
        num_key_value_heads=heads[1],
        **settings,
    )
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    model.tie_weights()
    return sum(p.numel() for p in model.parameters()), width * settings["vocab_size"]


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.name)
def test_the_sizes_are_those_of_the_shapes(offer: Any) -> None:
    family, shape = SHAPES[offer.name]
    parameters, head = counted(family, **shape)
    assert offer.parameters == pytest.approx(parameters, rel=0.01)
    if offer.spec != "builtin":  # that one comes in four bits
        held = parameters + (head if offer.name in REPEATED else 0)
        assert offer.download == pytest.approx(2 * held, rel=0.01)
