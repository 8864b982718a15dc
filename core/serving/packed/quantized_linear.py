"""A matrix packed so that multiplying one row by it reads as few bytes as possible.

Four bits: groups of 32 neighboring weights share a scale and a zero point (round to nearest,
asymmetric), and torch's `_weight_int4pack_mm_for_cpu` multiplies without unpacking. Eight bits: two
such planes side by side, the high and the low half of each weight, multiplied in one call; faster
than torch's `_weight_int8pack_mm`, and closer to the weights because of the groups. Scale and zero
point are rounded to bfloat16, as the kernel takes them, before the weights are rounded to them, so
their own rounding costs next to nothing.

Inputs and outputs of the kernel are bfloat16; everything between two products is float32.

Left out on purpose: calibrated quantization (GPTQ, AWQ), which needs data and minutes.
"""

from typing import Literal, Protocol

import torch
from torch import Tensor

Kind = Literal["int4", "int8", "bf16", "fp32"]

_GROUP = 32
"""Weights that share a scale, as in GGUF's Q4_0, Q4_1 and Q8_0, whose grids are kept."""
_ROWS = 16
"""The kernel needs a number of rows that is a multiple of this."""
_INNER_TILES = 2
_ROWS_AT_A_TIME = 256
"""Rows packed at a time; a multiple of the kernel's blocks, of 64 rows at most."""
_SAMPLED_ROWS = 64
"""Rows that show whether a matrix lies on a grid."""


class Linear(Protocol):
    """A matrix (out, in) in any of these forms."""

    kind: Kind

    def __call__(self, x: Tensor) -> Tensor:
        """(n, in) -> (n, out); float32 or bfloat16."""

    @property
    def nbytes(self) -> int: ...


class DenseLinear:
    """A matrix that is not packed, in float32 or bfloat16."""

    def __init__(self, weight: Tensor, dtype: torch.dtype = torch.float32) -> None:
        weight = weight.to(dtype)
        if weight.shape[0] > weight.shape[1] and dtype == torch.float32:
            # One row times a wide matrix is about twice as fast if it is stored by columns.
            weight = weight.t().contiguous().t()
        self.kind: Kind = "fp32" if dtype == torch.float32 else "bf16"
        self.weight = weight
        self._transposed = weight.t()

    def __call__(self, x: Tensor) -> Tensor:
        return torch.mm(x.to(self.weight.dtype), self._transposed)

    @property
    def nbytes(self) -> int:
        return self.weight.nbytes


class QuantizedLinear:
    """A matrix of 4-bit planes: one, or two that make 8 bits."""

    def __init__(self, weight: Tensor, kind: Literal["int4", "int8"]) -> None:
        self.kind: Kind = kind
        codes, scales = [], []
        # In parts, because the intermediate tensors are many times as large as the matrix.
        for part in weight.split(_ROWS_AT_A_TIME):
            some_codes, some_scales = _quantize(part, 4 if kind == "int4" else 8)
            codes.append(torch._convert_weight_to_int4pack_for_cpu(some_codes, _INNER_TILES))
            scales.append(some_scales)
        self._codes = torch.cat(codes)
        self._scales = torch.cat(scales).transpose(0, 1).contiguous()  # (groups, out, 2)

    def __call__(self, x: Tensor) -> Tensor:
        x = x.bfloat16()
        if self.kind == "int8":
            x = torch.cat((x, x), -1)
        return torch._weight_int4pack_mm_for_cpu(x, self._codes, _GROUP, self._scales)

    @property
    def nbytes(self) -> int:
        return self._codes.nbytes + self._scales.nbytes


def pack(weight: Tensor, kind: Kind) -> Linear:
    """Store `weight` (out, in), float32, as `kind`; as bfloat16 if its shape forbids packing."""
    if kind == "fp32":
        return DenseLinear(weight)
    if kind == "bf16" or not packable(weight):
        return DenseLinear(weight, torch.bfloat16)
    return QuantizedLinear(weight, kind)


def packable(weight: Tensor) -> bool:
    rows, columns = weight.shape
    return rows % _ROWS == 0 and columns % _GROUP == 0


def int4_error(weight: Tensor) -> float:
    """Return the rounding error of storing `weight` in four bits, relative to its norm.

    Measured on some of its rows, evenly spread.
    """
    weight = weight[:: max(1, weight.shape[0] // _SAMPLED_ROWS)]
    codes, scales = _quantize(weight, 4)
    scale, zero = scales.float().unbind(-1)  # (out, groups)
    groups = codes.view(*scale.shape, _GROUP)
    error = (groups - 8) * scale[..., None] + zero[..., None] - weight.view(groups.shape)
    return float(error.norm() / weight.norm().clamp(min=1e-30))


def _quantize(weight: Tensor, bits: Literal[4, 8]) -> tuple[Tensor, Tensor]:
    """Return codes, int32 (out, planes * in), and scales with zeros, bfloat16 (out, groups, 2).

    The kernel computes (code - 8) * scale + zero for each weight of a plane.
    """
    rows, columns = weight.shape
    groups = weight.view(rows, columns // _GROUP, _GROUP)
    low, high = groups.aminmax(dim=-1)
    steps = 2**bits - 1
    middle = 2 ** (bits - 1)
    scale = ((high - low) / steps).clamp(min=1e-8).bfloat16().float()
    # Relative to the middle, so that the scale's rounding error is shared by both ends.
    zero = ((low + high) / 2 + (middle - steps / 2) * scale).bfloat16().float()
    # In place: allocating memory costs more than the arithmetic.
    codes = (groups - zero[..., None]).div_(scale[..., None]).add_(middle).round_().clamp_(0, steps)
    codes = codes.to(torch.int32).view(rows, columns)
    if bits == 4:
        return codes, torch.stack((scale, zero), -1).bfloat16()
    planes = torch.cat((codes >> 4, codes & 15), -1)
    # 16 * scale * (upper - 8) + zero + scale * (lower - 8) + 8 * scale
    upper = torch.stack((16 * scale, zero), -1)
    lower = torch.stack((scale, 8 * scale), -1)
    return planes, torch.cat((upper, lower), 1).bfloat16()
