"""The forward pass of the Llama family on a CPU: Llama, SmolLM, Mistral, Qwen2, Qwen2.5, Qwen3.

The same arithmetic as transformers' models, laid out for one token at a time. The projections of
queries, keys and values are one matrix, those of gate and up another. Each head's features are
reordered once, so that the pairs that RoPE rotates are neighbors and one complex product rotates
queries and keys together. Keys and values are written into preallocated memory. Everything between
two products is float32.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from core.serving.packed import single_token
from core.serving.packed.layers import Layer, NetworkShape, Projection
from core.serving.packed.prompt_cache import KVCache, LayerKV
from core.serving.packed.quantized_linear import Linear

if TYPE_CHECKING:
    from core.serving.packed.layers import LayerDeltas, LoraAdapter


_EXACT_LOGITS = 32
"""How many of the highest logits are computed in float32."""


class Network:
    """A base model; each call may give an adapter.

    Args:
        embedding: (vocabulary, hidden), float32 or bfloat16.
        norm: (hidden), the last one.
        exact_head: `head` before packing, (vocabulary, hidden); None if `head` is float32.
    """

    def __init__(
        self,
        shape: NetworkShape,
        embedding: Tensor,
        layers: Sequence[Layer],
        norm: Tensor,
        head: Linear,
        exact_head: Tensor | None,
    ) -> None:
        self.shape = shape
        self.layers = tuple(layers)
        self.head = head
        self._exact_head = exact_head
        self._embedding = embedding
        self._norm = norm

    def projections(self) -> Iterator[Projection]:
        for layer in self.layers:
            yield from (layer.qkv, layer.o, layer.gate_up, layer.down)

    @property
    def nbytes(self) -> int:
        """Of the matrices and the embedding."""
        layers = sum(projection.weight.nbytes for projection in self.projections())
        return self._embedding.nbytes + self.head.nbytes + layers

    @torch.inference_mode()
    def forward(
        self,
        inputs: Sequence[tuple[KVCache, Sequence[int]]],
        adapter: "LoraAdapter | None" = None,
        *,
        all_positions: bool = False,
    ) -> Tensor:
        """Return the logits, float32 (inputs, vocabulary), after each of `inputs`.

        Args:
            inputs: KV caches and the tokens that follow them; the tokens are appended once all
                layers have run.
            all_positions: Return the logits after every token (tokens of all inputs, vocabulary).
        """
        spans: list[_Span] = []
        last: list[int] = []
        for kv, tokens in inputs:
            kv.reserve(len(kv.tokens) + len(tokens))
            first = last[-1] + 1 if last else 0
            spans.append(_Span(slice(first, first + len(tokens)), kv, len(kv.tokens)))
            last.append(first + len(tokens) - 1)
        ids = torch.tensor([token for _, tokens in inputs for token in tokens])
        x = functional.embedding(ids, self._embedding).float()  # (n, hidden)
        rotations = self._rotations(spans)
        deltas = adapter.layers if adapter is not None else (None,) * len(self.layers)
        if len(ids) == 1:
            kv = inputs[0][0]
            x = single_token.forward(self.shape, self.layers, deltas, kv, x, rotations[0])
        else:
            x = self._run_layers(x, rotations, spans, deltas)
        for kv, tokens in inputs:
            kv.tokens += tokens
        if not all_positions and len(ids) > len(inputs):
            x = x[last]
        x = self._rms_norm(x, self._norm)
        logits = self.head(x).float()
        if self._exact_head is not None and not all_positions:
            _refine_highest(logits, x, self._exact_head)
        return logits

    def _run_layers(
        self,
        x: Tensor,
        rotations: Tensor,
        spans: Sequence["_Span"],
        deltas: "Sequence[LayerDeltas | None]",
    ) -> Tensor:
        """Return the hidden states (n, hidden) after all layers; `x` is overwritten."""
        for index, (layer, delta) in enumerate(zip(self.layers, deltas, strict=True)):
            qkv, o, gate_up, down = delta or (None,) * 4
            heads = layer.qkv(self._rms_norm(x, layer.input_norm), qkv)
            x += layer.o(self._attend(index, heads.float(), rotations, spans), o)
            inner = layer.gate_up(self._rms_norm(x, layer.mlp_norm), gate_up)
            size = inner.shape[1] // 2
            x += layer.down(functional.silu(inner[:, :size]).mul_(inner[:, size:]), down)
        return x

    def _rotations(self, spans: Sequence["_Span"]) -> Tensor:
        """Return RoPE's rotation of each pair of features, complex (n, all heads, head size / 2).

        The same product scales queries for attention, and leaves values as they are.
        """
        shape = self.shape
        positions = torch.cat([torch.arange(span.start, span.end) for span in spans])
        angles = (positions[:, None] * shape.frequencies)[:, None]  # (n, 1, head size / 2)
        rotation = torch.polar(torch.full_like(angles, shape.rope_scale), angles)
        queries = (rotation * shape.head_size**-0.5).expand(-1, shape.heads, -1)
        keys = rotation.expand(-1, shape.kv_heads, -1)
        return torch.cat((queries, keys, torch.ones_like(keys)), 1)

    def _rms_norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(x, weight.shape, weight, self.shape.epsilon)

    def _attend(
        self, index: int, qkv: Tensor, rotations: Tensor, spans: Sequence["_Span"]
    ) -> Tensor:
        """Return the attention of the new tokens, (n, heads * head size).

        Their keys and values are written into the KV caches first.
        """
        shape, n = self.shape, qkv.shape[0]
        norm = self.layers[index].head_norm
        if norm is not None:
            queries_keys, values = qkv.view(n, -1, shape.head_size).split(
                (norm.shape[0], shape.kv_heads), 1
            )
            normed = functional.rms_norm(queries_keys, norm.shape[-1:], None, shape.epsilon)
            qkv = torch.cat((normed * norm, values), 1)
        pairs = torch.view_as_complex(qkv.view(n, -1, shape.head_size // 2, 2))
        heads = torch.view_as_real(pairs * rotations).view(n, -1, shape.head_size)
        window = shape.windows[index]
        attended = []
        for rows, kv, start in spans:
            end = start + rows.stop - rows.start
            first = 0 if window is None else max(0, start + 1 - window)
            layer = kv.layers[index]
            layer.both[:, start:end] = heads[rows, shape.heads :].transpose(0, 1)
            queries = heads[rows, : shape.heads]
            if end - start == 1:
                attended.append(_attend_one(queries[0], layer, first, end))
            else:
                attended.append(_attend_many(queries, layer, first, start, end, window))
        return attended[0] if len(attended) == 1 else torch.cat(attended)


def _refine_highest(logits: Tensor, x: Tensor, head: Tensor) -> None:
    """Compute the highest of `logits` (n, vocabulary) again in float32, in place.

    A packed head gives bfloat16, whose steps between 16 and 32, where logits often are, are an
    eighth: the likeliest tokens would be tied, and the wrong one taken.

    Args:
        x: (n, hidden), the head's input.
        head: (vocabulary, hidden), before packing.
    """
    best = logits.topk(min(_EXACT_LOGITS, logits.shape[-1]), -1).indices
    rows = head[best].float()  # (n, best, hidden)
    logits.scatter_(-1, best, torch.bmm(rows, x[..., None])[..., 0])


class _Span(NamedTuple):
    """The new tokens of one KV cache."""

    rows: slice
    """Their place among the new tokens of all caches."""
    kv: KVCache
    start: int
    """Their first position."""

    @property
    def end(self) -> int:
        return self.start + self.rows.stop - self.rows.start


def _attend_one(queries: Tensor, layer: LayerKV, first: int, end: int) -> Tensor:
    """Return a token's attention to positions `first` to `end`, (1, heads * head size).

    Args:
        queries: (heads, head size); those that share a KV head are neighbors.
    """
    groups = queries.view(layer.keys.shape[0], -1, queries.shape[1])
    weights = torch.softmax(torch.bmm(groups, layer.keys_transposed[:, :, first:end]), -1)
    return torch.bmm(weights, layer.values[:, first:end]).view(1, -1)


def _attend_many(
    queries: Tensor, layer: LayerKV, first: int, start: int, end: int, window: int | None
) -> Tensor:
    """Return the attention of `start` to `end` to positions from `first` on, (n, heads * size).

    Args:
        queries: (n, heads, head size), of the positions `start` to `end`.
    """
    past, total = start - first, end - first
    mask = None
    if past or (window is not None and total > window):
        mask = torch.ones(end - start, total, dtype=torch.bool).tril_(past)
        if window is not None:
            mask.triu_(past + 1 - window)
    attended = functional.scaled_dot_product_attention(
        queries.transpose(0, 1)[None],
        layer.keys[None, :, first:end],
        layer.values[None, :, first:end],
        attn_mask=mask,
        is_causal=mask is None,
        scale=1.0,  # queries are scaled already
        enable_gqa=True,
    )
    return attended[0].transpose(0, 1).reshape(end - start, -1)
