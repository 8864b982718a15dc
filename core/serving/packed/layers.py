"""The weights of a packed network, and the LoRA deltas applied beside them."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from core.serving.packed.quantized_linear import Linear


@dataclass(frozen=True)
class Shape:
    """What the forward pass has to know of a model."""

    layers: int
    heads: int
    key_heads: int
    head_size: int
    epsilon: float
    windows: tuple[int | None, ...]
    """Of each layer: a token sees so many tokens, itself included; None for all."""
    frequencies: Tensor
    """(head size / 2), angle a position."""
    rope_scale: float


@dataclass(frozen=True)
class Delta:
    """The change of one fused matrix: down to the rank, and up again."""

    down: Tensor
    """(in, ranks), float32: those of all parts side by side."""
    up: Tensor
    """(blocks, ranks of a block, columns of a block), float32, scaled.

    Parts of the same size are a block each. Others are one block together, zero where a rank and a
    column belong to different parts: those zeros are read for nothing.
    """

    def added(self, y: Tensor, x: Tensor) -> Tensor:
        """`y` (n, out) with the change of `x` (n, in)."""
        y, inner = y.float(), torch.mm(x.float(), self.down)
        if len(self.up) == 1:
            return torch.addmm(y, inner, self.up[0])
        apart = (len(y), len(self.up), -1)
        blocks = torch.baddbmm(
            y.view(apart).transpose(0, 1), inner.view(apart).transpose(0, 1), self.up
        )  # (blocks, n, columns of a block)
        return blocks.transpose(0, 1).reshape(y.shape)


class Deltas(NamedTuple):
    """The changes of one layer, in the order of `PARTS`."""

    qkv: Delta | None
    o: Delta | None
    gate_up: Delta | None
    down: Delta | None


@dataclass(frozen=True)
class Adapter:
    layers: tuple[Deltas, ...]


@dataclass(frozen=True)
class Projection:
    """A product and what is added to it."""

    weight: Linear
    bias: Tensor | None
    """(out), float32."""

    def __call__(self, x: Tensor, delta: Delta | None) -> Tensor:
        """(n, in) -> (n, out)."""
        y = self.weight(x)
        if self.bias is not None:
            y = y + self.bias
        return y if delta is None else delta.added(y, x)


@dataclass(frozen=True)
class Layer:
    """The weights of one layer; features of query and key heads are in RoPE's order."""

    input_norm: Tensor
    qkv: Projection
    head_norm: Tensor | None
    """(heads + key heads, head size): Qwen3 normalises each head of queries and keys."""
    o: Projection
    mlp_norm: Tensor
    gate_up: Projection
    down: Projection
