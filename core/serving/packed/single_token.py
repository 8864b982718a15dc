"""A single token through all layers: what a chat spends its time on.

The same arithmetic as `Network.read`, for the case of one text and one token. A token takes some
thousand calls into torch of a few microseconds each, so here the views and buffers that do not
change from layer to layer are made once a token: half as many calls.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from core.serving.packed.prompt_cache import Text

if TYPE_CHECKING:
    from core.serving.packed.layers import Deltas, Layer, Shape


def read(
    shape: "Shape",
    layers: "Sequence[Layer]",
    deltas: "Sequence[Deltas | None]",
    text: Text,
    x: Tensor,
    turn: Tensor,
) -> Tensor:
    """What the layers make of the token after `text`, (1, hidden), before the last norm.

    Args:
        text: Has room for it; its keys and values are written there.
        x: (1, hidden), float32, its embedding; taken over.
        turn: (all heads, head size / 2), complex: see `Network`.
    """
    start, end = len(text.tokens), len(text.tokens) + 1
    row, zeros = x[0], x.new_zeros(x.shape)
    heads = x.new_empty(shape.heads + 2 * shape.key_heads, shape.head_size)
    flat = heads.view(1, -1)
    pairs = torch.view_as_complex(heads.view(*turn.shape, 2))
    turned = torch.empty_like(pairs)
    real = torch.view_as_real(turned).view_as(heads)
    queries = real[: shape.heads].view(shape.key_heads, -1, shape.head_size)
    keys_values = real[shape.heads :, None]
    seen = torch.empty_like(queries)
    attended = seen.view(1, -1)
    places = text.store[:, :, start:end].unbind()
    all_keys = text.store[:, : shape.key_heads, :end].transpose(2, 3).unbind()
    all_values = text.store[:, shape.key_heads :, :end].unbind()

    def normed(weight: Tensor) -> Tensor:
        # torch's own takes twice as long for a single row, and there are two of these a layer.
        size = torch.dot(row, row).item() / len(weight)
        return torch.addcmul(zeros, x, weight, value=(size + shape.epsilon) ** -0.5)

    for layer, delta, place, keys, values, window in zip(
        layers, deltas, places, all_keys, all_values, shape.windows, strict=True
    ):
        qkv, o, gate_up, down = delta or (None,) * 4
        flat.copy_(layer.qkv(normed(layer.input_norm), qkv))
        if layer.head_norm is not None:
            several = heads[: len(layer.head_norm)]
            exact = functional.rms_norm(several, several.shape[-1:], None, shape.epsilon)
            torch.mul(exact, layer.head_norm, out=several)
        torch.mul(pairs, turn, out=turned)
        place.copy_(keys_values)
        if window is not None and end > window:
            keys, values = keys[:, :, end - window :], values[:, end - window :]
        torch.bmm(torch.softmax(torch.bmm(queries, keys), -1), values, out=seen)
        x.add_(layer.o(attended, o))
        gate, up = layer.gate_up(normed(layer.mlp_norm), gate_up).chunk(2, 1)
        x.add_(layer.down(functional.silu(gate).mul_(up), down))
    return x
