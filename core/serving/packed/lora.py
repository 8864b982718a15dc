"""A LoRA adapter beside packed weights.

Added to packed weights, much of a small change would be lost to their rounding, and each change of
adapter would pack all of the base anew. Beside them, it costs two thin products a matrix, and
changing it costs reading a few megabytes.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from core.adapters.peft_files import read_config, unreadable
from core.serving.packed.layers import Adapter, Delta, Deltas, Shape
from core.serving.packed.layout import PARTS, QKV, ordered
from store.i18n import _

_PREFIX = "base_model.model.model.layers."


def read(directory: Path, shape: Shape) -> Adapter:
    """The adapter in `directory`, which `is_plain`, for a base of that shape.

    Raises:
        TuteeError: it cannot be read, or belongs to another base.
    """
    settings = read_config(directory)
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
