"""The weights of a packed network, and the LoRA deltas applied beside them."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from core.serving.packed.quantized_linear import Linear


@dataclass(frozen=True)
class NetworkShape:
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    epsilon: float
    windows: tuple[int | None, ...]
    """Of each layer: how many tokens a token sees, itself included; None for all."""
    frequencies: Tensor
    """(head size / 2), RoPE's angle per position."""
    rope_scale: float


@dataclass(frozen=True)
class LoraDelta:
    """The change of one fused matrix: down to the rank, and up again."""

    down: Tensor
    """(in, ranks), float32: those of all parts side by side."""
    up: Tensor
    """(blocks, ranks of a block, columns of a block), float32, scaled.

    Parts of the same size are a block each. Otherwise all parts are one block, block-diagonal.
    """

    def added(self, y: Tensor, x: Tensor) -> Tensor:
        """Return `y` (n, out) plus the change for `x` (n, in)."""
        y, inner = y.float(), torch.mm(x.float(), self.down)
        if len(self.up) == 1:
            return torch.addmm(y, inner, self.up[0])
        blocked = (len(y), len(self.up), -1)
        blocks = torch.baddbmm(
            y.view(blocked).transpose(0, 1), inner.view(blocked).transpose(0, 1), self.up
        )  # (blocks, n, columns of a block)
        return blocks.transpose(0, 1).reshape(y.shape)


class LayerDeltas(NamedTuple):
    """The changes of one layer, in the order of `layout.FUSED`."""

    qkv: LoraDelta | None
    o: LoraDelta | None
    gate_up: LoraDelta | None
    down: LoraDelta | None


@dataclass(frozen=True)
class LoraAdapter:
    layers: tuple[LayerDeltas, ...]


@dataclass(frozen=True)
class Projection:
    weight: Linear
    bias: Tensor | None
    """(out), float32."""

    def __call__(self, x: Tensor, delta: LoraDelta | None) -> Tensor:
        """(n, in) -> (n, out)."""
        y = self.weight(x)
        if self.bias is not None:
            y = y + self.bias
        return y if delta is None else delta.added(y, x)


@dataclass(frozen=True)
class Layer:
    """The weights of one layer; features of query and key heads are in RoPE order."""

    input_norm: Tensor
    qkv: Projection
    head_norm: Tensor | None
    """(heads + KV heads, head size): Qwen3 normalizes each query and key head."""
    o: Projection
    mlp_norm: Tensor
    gate_up: Projection
    down: Projection
