"""Choose how each matrix of a base is stored.

With `auto` a matrix is stored in four bits if its weights lie on a 4-bit grid already (as the
built-in model's do), and in eight bits otherwise. A CPU without the instructions of torch's 4-bit
kernel (AVX2, AVX-512) gets float32: there the kernel is far slower than not packing at all.
"""

from typing import Literal

import torch
from torch import Tensor

from core.serving.packed.network import Network
from core.serving.packed.quantized_linear import Kind, int4_error, packable
from core.serving.packed.weights import ChooseKind

Precision = Literal["auto", "int4", "int8", "bf16", "fp32"]

_NEGLIGIBLE = 0.02
"""Relative error of four bits that counts as none; weights off a grid have about 0.08."""


def kind_chooser(precision: Precision) -> ChooseKind:
    if precision != "auto":
        kind: Kind = precision
        return lambda weight: kind
    return _automatic if has_fast_kernel() else lambda weight: "fp32"


def describe(network: Network) -> str:
    """Name how the layers are stored, and the head if it differs: `int4, head int8`."""
    kinds = {projection.weight.kind for projection in network.projections()}
    layers = "/".join(sorted(kinds))
    return layers if kinds == {network.head.kind} else f"{layers}, head {network.head.kind}"


def has_fast_kernel() -> bool:
    """Return whether torch has its fast 4-bit kernel on this CPU."""
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def _automatic(weight: Tensor) -> Kind:
    return "int4" if packable(weight) and int4_error(weight) < _NEGLIGIBLE else "int8"
