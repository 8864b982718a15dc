"""Check before a pass that it fits into free memory.

A pass that runs out of memory takes the chat, and often the whole machine, down with it. Its peak
follows from the shape of the model and the largest micro-batch: the weights, LoRA with its
gradients and AdamW's two moments, the activations each layer saves for the backward pass, the
attention weights, and the logits. The factors are fitted to the peak resident memory of SFT on the
built-in model on a CPU, at four sample lengths, and hold for the other passes there.

Left out on purpose: memory limits of containers, and devices other than CUDA and the CPU.
"""

import json
import math
from collections.abc import Iterator
from typing import NamedTuple

from core.config import Tuning
from core.events import PassName
from core.models import quantization
from core.models.folder import ModelFolder
from core.models.loading import quantised
from core.runtime.device import device
from core.training.lora import FUSED_TARGETS, TARGETS
from core.training.micro_batches import MICRO_BATCH_TOKENS
from store.errors import TuteeError
from store.i18n import _

_LIBRARIES = 320 * 2**20
"""Bytes that the libraries take while training, and fragmentation."""
_HIDDEN_KEPT, _INNER_KEPT = 8, 5
"""Saved activations per token and layer, in multiples of the hidden and intermediate size."""
_LOGITS_KEPT = 3
"""Copies of the logits: themselves, their log-softmax and their gradient."""
_SHARE, _MOST_TOKENS = 0.25, 4096
"""Maximum share of a GPU's memory, and maximum tokens, of a micro-batch."""


class TooLittleMemory(TuteeError):
    """A pass does not fit into free memory now; it may later."""


class ModelShape(NamedTuple):
    """Sizes of a base model that decide how much memory it takes."""

    weights: int
    lora_weights: int
    """Weights of a LoRA of rank 1."""
    layers: int
    hidden: int
    inner: int
    heads: int
    vocabulary: int


def require_memory(
    name: PassName, folder: ModelFolder, settings: Tuning, tokens: int, trained: int
) -> None:
    """Refuse a pass that does not fit into free memory.

    Args:
        settings: With the rank of the adapter it trains (`core.training.lora.continued`).
        tokens: Tokens of the largest micro-batch.
        trained: Tokens of it that go through the LM head.

    Raises:
        TooLittleMemory: the pass does not fit.
    """
    shape = read_shape(folder)
    if shape is None:
        return
    four_bit = quantised(folder).four_bit
    need, free = needed(name, shape, settings, tokens, trained, four_bit=four_bit), _free()
    if need <= free:
        return
    advice = _("Close other programs, or use a smaller model.")
    if name == "rl":
        advice += _(
            " A smaller `max_new_tokens` under [tuning.rl] in the settings needs less, too."
        )
    elif tokens > micro_batch_tokens(folder):
        advice += _(
            " A smaller `max_length` under [tuning] in the settings needs less, too: "
            "the longest samples have {tokens:,} tokens."
        ).format(tokens=tokens)
    raise TooLittleMemory(
        _("The {name} pass needs about {need} of memory; {free} is free.").format(
            name=name, need=_gigabytes(need), free=_gigabytes(free)
        ),
        advice,
    )


def micro_batch_tokens(folder: ModelFolder) -> int:
    """Return the maximum packed tokens per micro-batch for a pass on the base in `folder`.

    A GPU finishes a CPU-sized micro-batch faster than Python can launch it, so there micro-batches
    are as large as a share of its memory allows: of its total memory, not of what is free, so that
    one machine always makes the same micro-batches.
    """
    card, shape = quantization.card(), read_shape(folder)
    if card is None or shape is None:
        return MICRO_BATCH_TOKENS
    kept = shape.layers * _saved_activations(shape) * 2 + _LOGITS_KEPT * shape.vocabulary * 4
    return max(MICRO_BATCH_TOKENS, min(int(_SHARE * card / kept), _MOST_TOKENS))


def _saved_activations(shape: ModelShape) -> int:
    """Return the activations that a layer saves per token for the backward pass."""
    return _HIDDEN_KEPT * shape.hidden + _INNER_KEPT * shape.inner


def needed(
    name: PassName,
    shape: ModelShape,
    settings: Tuning,
    tokens: int,
    trained: int,
    *,
    four_bit: bool = False,
) -> int:
    """Return the bytes a pass takes at its peak, beyond what the program already uses."""
    number = 2 if _cuda() else 4
    lora = shape.lora_weights * settings.rank
    kept = tokens * _saved_activations(shape)
    attention = 0 if _cuda() else shape.heads * tokens * tokens
    logits = 0 if name == "reward" else _LOGITS_KEPT * trained * shape.vocabulary * 4
    # RL keeps the reward model beside the policy.
    bases = 2 if name == "rl" else 1
    return (
        _LIBRARIES
        + round(bases * shape.weights * (quantization.BYTES if four_bit else number))
        + lora * 5 * 4  # weights, their average, gradients and two moments, in float32
        + shape.layers * (kept + attention) * number
        + logits
    )


def read_shape(folder: ModelFolder) -> ModelShape | None:
    """Return the shape of the base in `folder`; None if its config does not give it."""
    try:
        settings = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
        settings = settings.get("text_config", settings)
        sizes = list(_sizes(folder))
        return ModelShape(
            weights=sum(math.prod(size) for _, size in sizes),
            lora_weights=sum(sum(size) for key, size in sizes if _adapted(key)),
            layers=settings["num_hidden_layers"],
            hidden=settings["hidden_size"],
            inner=settings["intermediate_size"],
            heads=settings["num_attention_heads"],
            vocabulary=settings["vocab_size"],
        )
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _adapted(key: str) -> bool:
    """Whether the layer of this weight gets LoRA."""
    return key.split(".")[-2:-1][0] in (*TARGETS, *FUSED_TARGETS)


def _sizes(folder: ModelFolder) -> Iterator[tuple[str, list[int]]]:
    from safetensors import safe_open

    for path in folder.path.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            for key in file.keys():  # noqa: SIM118  # not a dict
                yield key, file.get_slice(key).get_shape()


def _free() -> int:
    import torch

    if _cuda():
        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return int(psutil.virtual_memory().available)


def _cuda() -> bool:
    return device() == "cuda"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
