"""The decode step of one sequence: a single token through all layers.

The same arithmetic as `Network.forward`, for the case that chat spends its time on. One token takes
some thousand calls into torch of a few microseconds each, so views and buffers that are the same in
every layer are made once per token: half as many calls.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from core.serving.packed.prompt_cache import KVCache

if TYPE_CHECKING:
    from core.serving.packed.layers import Layer, LayerDeltas, NetworkShape


def forward(
    shape: "NetworkShape",
    layers: "Sequence[Layer]",
    deltas: "Sequence[LayerDeltas | None]",
    kv: KVCache,
    x: Tensor,
    rotation: Tensor,
) -> Tensor:
    """Return the hidden state (1, hidden) of the token after `kv`, before the last norm.

    Args:
        kv: Has room for the token; its keys and values are written there.
        x: (1, hidden), float32, the embedding; overwritten.
        rotation: (all heads, head size / 2), complex: see `Network`.
    """
    start, end = len(kv.tokens), len(kv.tokens) + 1
    row, zeros = x[0], x.new_zeros(x.shape)
    heads = x.new_empty(shape.heads + 2 * shape.kv_heads, shape.head_size)
    flat = heads.view(1, -1)
    pairs = torch.view_as_complex(heads.view(*rotation.shape, 2))
    rotated = torch.empty_like(pairs)
    real = torch.view_as_real(rotated).view_as(heads)
    queries = real[: shape.heads].view(shape.kv_heads, -1, shape.head_size)
    keys_values = real[shape.heads :, None]
    attended = torch.empty_like(queries)
    flat_attended = attended.view(1, -1)
    places = kv.store[:, :, start:end].unbind()
    all_keys = kv.store[:, : shape.kv_heads, :end].transpose(2, 3).unbind()
    all_values = kv.store[:, shape.kv_heads :, :end].unbind()

    def rms_norm(weight: Tensor) -> Tensor:
        # torch's own takes twice as long for a single row, and each layer has two.
        size = torch.dot(row, row).item() / len(weight)
        return torch.addcmul(zeros, x, weight, value=(size + shape.epsilon) ** -0.5)

    for layer, delta, place, keys, values, window in zip(
        layers, deltas, places, all_keys, all_values, shape.windows, strict=True
    ):
        qkv, o, gate_up, down = delta or (None,) * 4
        flat.copy_(layer.qkv(rms_norm(layer.input_norm), qkv))
        if layer.head_norm is not None:
            normed = heads[: len(layer.head_norm)]
            unscaled = functional.rms_norm(normed, normed.shape[-1:], None, shape.epsilon)
            torch.mul(unscaled, layer.head_norm, out=normed)
        torch.mul(pairs, rotation, out=rotated)
        place.copy_(keys_values)
        if window is not None and end > window:
            keys, values = keys[:, :, end - window :], values[:, end - window :]
        torch.bmm(torch.softmax(torch.bmm(queries, keys), -1), values, out=attended)
        x.add_(layer.o(flat_attended, o))
        gate, up = layer.gate_up(rms_norm(layer.mlp_norm), gate_up).chunk(2, 1)
        x.add_(layer.down(functional.silu(gate).mul_(up), down))
    return x
