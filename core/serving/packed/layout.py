"""Which matrices of a layer are fused, and the order of features within a head.

In RoPE order the two features that are rotated together are neighbors, where the files have them
half a head apart.
"""

from collections.abc import Sequence

from torch import Tensor

from core.serving.packed.layers import NetworkShape

QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
O = ("self_attn.o_proj",)  # noqa: E741
GATE_UP = ("mlp.gate_proj", "mlp.up_proj")
DOWN = ("mlp.down_proj",)
HEAD_NORMS = ("self_attn.q_norm", "self_attn.k_norm")
FUSED = (QKV, O, GATE_UP, DOWN)
"""The matrices that are fused into one each, by their names in the files."""


def in_rope_order(rows: Tensor, head_size: int) -> Tensor:
    """Reorder the rows of a matrix (heads * head size, …) into RoPE order."""
    halves = rows.unflatten(0, (-1, 2, head_size // 2))
    return halves.transpose(1, 2).flatten(0, 2)


def reordered(names: Sequence[str], parts: Sequence[Tensor], shape: NetworkShape) -> list[Tensor]:
    """Return `parts`, rows by features, with those of queries and keys in RoPE order."""
    return [
        in_rope_order(part, shape.head_size) if name in QKV[:2] else part
        for name, part in zip(names, parts, strict=True)
    ]
