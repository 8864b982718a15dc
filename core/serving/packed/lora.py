"""Load a LoRA adapter to apply beside packed weights.

Merged into packed weights, much of a small change would be lost to rounding, and each switch would
pack the whole base anew. Beside them it costs two thin products per matrix, and a switch costs
reading a few megabytes.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from core.adapters.peft_files import read_config, unreadable
from core.serving.packed.layers import LayerDeltas, LoraAdapter, LoraDelta, NetworkShape
from core.serving.packed.layout import FUSED, QKV, reordered
from store.i18n import _

_PREFIX = "base_model.model.model.layers."


def load(directory: Path, shape: NetworkShape) -> LoraAdapter:
    """Load the adapter in `directory`, which `is_plain`, for a base of that shape.

    Raises:
        TuteeError: it cannot be read, or belongs to another base.
    """
    settings = read_config(directory)
    rank = settings["r"]
    scale = settings["lora_alpha"] / (rank**0.5 if settings.get("use_rslora") else rank)
    try:
        tensors = load_file(directory / "adapter_model.safetensors")
        layers = [
            LayerDeltas(
                *(_delta(tensors, f"{_PREFIX}{n}.", names, shape, scale) for names in FUSED)
            )
            for n in range(shape.layers)
        ]
    except Exception as error:
        # A damaged file fails in many ways.
        raise unreadable(directory, error) from error
    if tensors:
        why = _("the model has no {tensor}").format(tensor=min(tensors))
        raise unreadable(directory, ValueError(why))
    return LoraAdapter(tuple(layers))


def _delta(
    tensors: dict[str, Tensor], prefix: str, names: Sequence[str], shape: NetworkShape, scale: float
) -> LoraDelta | None:
    """Take the changes of the matrices `names` out of `tensors`, and fuse them."""
    pairs: list[tuple[Tensor, Tensor] | None] = []
    for name in names:
        down = tensors.pop(f"{prefix}{name}.lora_A.weight", None)
        up = tensors.pop(f"{prefix}{name}.lora_B.weight", None)
        pair = None if down is None or up is None else (down.float(), up.float())
        if pair and not all(torch.isfinite(values).all() for values in pair):
            raise ValueError(
                _("it contains invalid values (NaN or infinity), in {tensor}").format(
                    tensor=f"{prefix}{name}"
                )
            )
        pairs.append(pair)
    present = [pair for pair in pairs if pair is not None]
    if not present:
        return None
    columns, rows = present[0][0].shape[1], present[0][1].shape[0]
    if names is QKV:
        sizes = [shape.heads * shape.head_size] + [shape.kv_heads * shape.head_size] * 2
    else:
        sizes = [rows] * len(names)
    downs = [pair[0] if pair else torch.zeros(0, columns) for pair in pairs]
    ups = [pair[1] if pair else torch.zeros(n, 0) for pair, n in zip(pairs, sizes, strict=True)]
    ups = reordered(names, ups, shape)
    same_shape = len({up.shape for up in ups}) == 1
    up = torch.stack(ups) if same_shape else torch.block_diag(*ups)[None]
    return LoraDelta(torch.cat(downs).t().contiguous(), (up * scale).transpose(1, 2).contiguous())
