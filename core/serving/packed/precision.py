"""How the weights of a base are kept for serving: as asked for, or as loses nothing that matters.

Left to itself (`auto`), a matrix is kept in four bits where its weights lie on a grid of four bits
already (the built-in model's do), and in eight bits elsewhere. A processor without the
instructions that torch's 4-bit kernel is written for (AVX2, AVX-512) gets float32: there the kernel
is tens of times slower than not packing at all.
"""

from typing import Literal

import torch
from torch import Tensor

from core.serving.packed.network import Network
from core.serving.packed.quantized_linear import Kind, four_bits_lose, packable
from core.serving.packed.weights import Choose

Precision = Literal["auto", "int4", "int8", "bf16", "fp32"]

_NOTHING = 0.02
"""Error of four bits, as a share of the weights, that counts as none; rounding costs about 0.08."""


def chooser(precision: Precision) -> Choose:
    """What packs each matrix as `precision` says."""
    if precision != "auto":
        kind: Kind = precision
        return lambda weight: kind
    return _automatic if packs_fast() else lambda weight: "fp32"


def described(network: Network) -> str:
    """Of its layers, and of its head where that is kept otherwise: `int4, head int8`."""
    kinds = {
        part.weight.kind
        for layer in network.layers
        for part in (layer.qkv, layer.o, layer.gate_up, layer.down)
    }
    layers = "/".join(sorted(kinds))
    return layers if kinds == {network.head.kind} else f"{layers}, head {network.head.kind}"


def packs_fast() -> bool:
    """Whether torch has its fast 4-bit kernel on this processor."""
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def _automatic(weight: Tensor) -> Kind:
    return "int4" if packable(weight) and four_bits_lose(weight) < _NOTHING else "int8"
