"""A LoRA adapter beside packed weights.

Added to packed weights, much of a small change would be lost to their rounding, and each change of
adapter would pack all of the base anew. Beside them, it costs two thin products a matrix, and
changing it costs reading a few megabytes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from core.serving.layers import Adapter, Delta, Deltas, Shape
from core.serving.layout import PARTS, QKV, ordered
from store.errors import TuteeError
from store.language import _

_UNUSUAL = (
    "use_dora",
    "fan_in_fan_out",
    "modules_to_save",
    "layers_to_transform",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
    "alpha_pattern",
    "rank_pattern",
    "lora_bias",
    "use_qalora",
    "alora_invocation_tokens",
)
"""Settings of peft that make a LoRA more than two thin matrices beside each matrix."""
_PREFIX = "base_model.model.model.layers."


def is_plain(directory: Path) -> bool:
    """Whether `read` can read the adapter in `directory`.

    Raises:
        TuteeError: there is none.
    """
    settings = _settings(directory)
    return (
        settings.get("peft_type") == "LORA"
        and settings.get("bias") == "none"
        and not any(settings.get(name) for name in _UNUSUAL)
    )


def read(directory: Path, shape: Shape) -> Adapter:
    """The adapter in `directory`, which `is_plain`, for a base of that shape.

    Raises:
        TuteeError: it cannot be read, or belongs to another base.
    """
    settings = _settings(directory)
    rank = settings["r"]
    scale = settings["lora_alpha"] / (rank**0.5 if settings.get("use_rslora") else rank)
    try:
        tensors = load_file(directory / "adapter_model.safetensors")
        layers = [
            Deltas(*(_delta(tensors, f"{_PREFIX}{index}.", names, shape, scale) for names in PARTS))
            for index in range(shape.layers)
        ]
    except Exception as error:
        # A damaged file fails in more ways than can be listed.
        raise unreadable(directory, error) from error
    if tensors:
        raise unreadable(
            directory, ValueError(_("the model has no {tensor}").format(tensor=min(tensors)))
        )
    return Adapter(tuple(layers))


def unreadable(directory: Path, error: Exception) -> TuteeError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return TuteeError(
        _("The adapter in {folder} could not be loaded: {said}").format(
            folder=directory, said=said
        ),
        _("`tutee adapters` lists the others; `tutee adapters use base` goes back to the base."),
    )


def _settings(directory: Path) -> dict[str, Any]:
    try:
        found = json.loads((directory / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable(directory, error) from error
    return found if isinstance(found, dict) else {}


def _delta(
    tensors: dict[str, Tensor], prefix: str, names: Sequence[str], shape: Shape, scale: float
) -> Delta | None:
    """Take the change of the matrices `names` out of `tensors`, fused as they are."""
    pairs: list[tuple[Tensor, Tensor] | None] = []
    for name in names:
        down = tensors.pop(f"{prefix}{name}.lora_A.weight", None)
        up = tensors.pop(f"{prefix}{name}.lora_B.weight", None)
        pairs.append(None if down is None or up is None else (down.float(), up.float()))
    present = [pair for pair in pairs if pair is not None]
    if not present:
        return None
    columns, rows = present[0][0].shape[1], present[0][1].shape[0]
    if names is QKV:
        sizes = [shape.heads * shape.head_size] + [shape.key_heads * shape.head_size] * 2
    else:
        sizes = [rows] * len(names)
    downs = [pair[0] if pair else torch.zeros(0, columns) for pair in pairs]
    ups = [pair[1] if pair else torch.zeros(n, 0) for pair, n in zip(pairs, sizes, strict=True)]
    ups = ordered(names, ups, shape)
    alike = len({up.shape for up in ups}) == 1
    up = torch.stack(ups) if alike else torch.block_diag(*ups)[None]
    return Delta(torch.cat(downs).t().contiguous(), (up * scale).transpose(1, 2).contiguous())
