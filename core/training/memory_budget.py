"""Whether a pass fits into the memory that is free, asked before it begins.

A pass that runs out of memory takes the chat, and often the whole machine, down with it. What it
will need at its peak can be told from the shape of the model and the largest micro-batch: the
weights, LoRA with its gradients and AdamW's two moments, what each layer keeps for the way back,
the attention weights, and the logits. The factors were fitted on the built-in model on a CPU
(peak resident memory of SFT, four lengths of samples), and hold for the other passes there.

Left out on purpose: the memory limit of a container, and other devices than CUDA and the CPU.
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
"""What the libraries take for themselves once they train, and the allocator's scraps."""
_HIDDEN_KEPT, _INNER_KEPT = 8, 5
"""Numbers kept a token and layer for the way back, in hidden and in intermediate sizes."""
_LOGITS_KEPT = 3
"""The logits, their log-softmax and their gradient."""
_SHARE, _MOST_TOKENS = 0.25, 4096
"""Of a card's memory that a micro-batch may take, and the tokens it may hold at most."""


class TooLittleMemory(TuteeError):
    """A pass that would not fit; it may at another time."""


class Shape(NamedTuple):
    """What of a base model decides how much memory it takes."""

    weights: int
    lora_weights: int
    """Of a LoRA of rank 1."""
    layers: int
    hidden: int
    inner: int
    heads: int
    vocabulary: int


def require(
    name: PassName, folder: ModelFolder, settings: Tuning, tokens: int, trained: int
) -> None:
    """Refuse a pass that would not fit into the memory that is free.

    Args:
        tokens: Of the largest micro-batch.
        trained: How many of them go through the LM head.

    Raises:
        TooLittleMemory: it would not fit.
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
            " A smaller `max_new_tokens` under [tuning.rl] in the settings takes less, too."
        )
    elif tokens > micro_batch_tokens(folder):
        advice += _(
            " A smaller `max_length` under [tuning] in the settings takes less, too: "
            "the longest samples have {tokens:,} tokens."
        ).format(tokens=tokens)
    raise TooLittleMemory(
        _("The {name} pass needs about {need} of memory, and {free} are free.").format(
            name=name, need=_gigabytes(need), free=_gigabytes(free)
        ),
        advice,
    )


def micro_batch_tokens(folder: ModelFolder) -> int:
    """Packed tokens that a micro-batch of a pass on the base in `folder` should hold at most.

    A card does the work of a processor's micro-batch faster than Python can ask for it, so there it
    holds as many as leave the card room; by what it has, not by what is free, so that one machine
    always makes the same micro-batches.
    """
    card, shape = quantization.card(), read_shape(folder)
    if card is None or shape is None:
        return MICRO_BATCH_TOKENS
    kept = shape.layers * _kept(shape) * 2 + _LOGITS_KEPT * shape.vocabulary * 4
    return max(MICRO_BATCH_TOKENS, min(int(_SHARE * card / kept), _MOST_TOKENS))


def _kept(shape: Shape) -> int:
    """Numbers that a layer keeps of a token for the way back."""
    return _HIDDEN_KEPT * shape.hidden + _INNER_KEPT * shape.inner


def needed(
    name: PassName,
    shape: Shape,
    settings: Tuning,
    tokens: int,
    trained: int,
    *,
    four_bit: bool = False,
) -> int:
    """Bytes that a pass takes at its peak, beside what the program has taken before."""
    number = 2 if _cuda() else 4
    lora = shape.lora_weights * settings.rank
    kept = tokens * _kept(shape)
    attention = 0 if _cuda() else shape.heads * tokens * tokens
    logits = 0 if name == "reward" else _LOGITS_KEPT * trained * shape.vocabulary * 4
    # RL keeps the reward model beside the policy.
    bases = 2 if name == "rl" else 1
    return (
        _LIBRARIES
        + round(bases * shape.weights * (quantization.BYTES if four_bit else number))
        + lora * 5 * 4  # weights, their mean, gradients and two moments, in float32
        + shape.layers * (kept + attention) * number
        + logits
    )


def read_shape(folder: ModelFolder) -> Shape | None:
    """The shape of the base in `folder`; None where its settings do not say it."""
    try:
        settings = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
        settings = settings.get("text_config", settings)
        sizes = list(_sizes(folder))
        return Shape(
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
    """Whether LoRA is put on the layer that this weight is of."""
    return key.split(".")[-2:-1][0] in (*TARGETS, *FUSED_TARGETS)


def _sizes(folder: ModelFolder) -> Iterator[tuple[str, list[int]]]:
    from safetensors import safe_open

    for path in folder.path.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            for key in file.keys():  # noqa: SIM118  # it is no dict
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
