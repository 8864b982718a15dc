"""The Llama family, forward, on one processor: Llama, SmolLM, Mistral, Qwen2, Qwen2.5, Qwen3.

The same arithmetic as transformers' models, laid out for one token at a time: the projections of
queries, keys and values are one matrix, those of gate and up another; each head's features are
reordered, once, so that the pairs that RoPE turns lie side by side and one complex product turns
queries and keys together; keys and values are written into a store that is there already. Between
two products everything is float32.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from core.serving.packed import single_token
from core.serving.packed.layers import Layer, Shape
from core.serving.packed.prompt_cache import LayerStore, Text
from core.serving.packed.quantized_linear import Linear

if TYPE_CHECKING:
    from core.serving.packed.layers import Adapter, Deltas


_SHARP = 32
"""The highest scores, which are computed exactly."""

Part = tuple[Text, Sequence[int]]
"""A text, and the tokens that follow it."""


class Network:
    """A base model; adapters are given to each call.

    Args:
        embedding: (vocabulary, hidden), float32 or bfloat16.
        norm: (hidden), the last one.
        exact: What `head` was packed from, (vocabulary, hidden); None where it is float32 itself.
    """

    def __init__(
        self,
        shape: Shape,
        embedding: Tensor,
        layers: Sequence[Layer],
        norm: Tensor,
        head: Linear,
        exact: Tensor | None,
    ) -> None:
        self.shape = shape
        self.layers = tuple(layers)
        self.head = head
        self._exact = exact
        self._embedding = embedding
        self._norm = norm

    @property
    def nbytes(self) -> int:
        """Of the matrices and the embedding."""
        layers = (
            part.weight.nbytes
            for layer in self.layers
            for part in (layer.qkv, layer.o, layer.gate_up, layer.down)
        )
        return self._embedding.nbytes + self.head.nbytes + sum(layers)

    @torch.inference_mode()
    def read(
        self, parts: Sequence[Part], adapter: "Adapter | None" = None, *, every: bool = False
    ) -> Tensor:
        """Scores, float32 (parts, vocabulary), for what comes after each of `parts`.

        Each part's tokens follow its own text, and are added to it once all layers have read them.
        With `every`, the scores after each of the tokens (tokens of all parts, vocabulary).
        """
        spans: list[_Span] = []
        last: list[int] = []
        for text, tokens in parts:
            text.reserve(len(text.tokens) + len(tokens))
            first = last[-1] + 1 if last else 0
            spans.append(_Span(slice(first, first + len(tokens)), text, len(text.tokens)))
            last.append(first + len(tokens) - 1)
        ids = torch.tensor([token for _, tokens in parts for token in tokens])
        x = functional.embedding(ids, self._embedding).float()  # (n, hidden)
        turns = self._turns(spans)
        deltas = adapter.layers if adapter is not None else (None,) * len(self.layers)
        if len(ids) == 1:
            x = single_token.read(self.shape, self.layers, deltas, parts[0][0], x, turns[0])
        else:
            x = self._through(x, turns, spans, deltas)
        for text, tokens in parts:
            text.tokens += tokens
        if not every and len(ids) > len(parts):
            x = x[last]
        x = self._normed(x, self._norm)
        scores = self.head(x).float()
        if self._exact is not None and not every:
            _sharpen(scores, x, self._exact)
        return scores

    def _through(
        self,
        x: Tensor,
        turns: Tensor,
        spans: Sequence["_Span"],
        deltas: "Sequence[Deltas | None]",
    ) -> Tensor:
        """`x` (n, hidden) after all layers."""
        for index, (layer, delta) in enumerate(zip(self.layers, deltas, strict=True)):
            qkv, o, gate_up, down = delta or (None,) * 4
            heads = layer.qkv(self._normed(x, layer.input_norm), qkv)
            x += layer.o(self._attend(index, heads.float(), turns, spans), o)
            inner = layer.gate_up(self._normed(x, layer.mlp_norm), gate_up)
            size = inner.shape[1] // 2
            x += layer.down(functional.silu(inner[:, :size]).mul_(inner[:, size:]), down)
        return x

    def _turns(self, spans: Sequence["_Span"]) -> Tensor:
        """How far RoPE turns each pair of features, complex (n, all heads, head size / 2).

        Values are not turned; queries are scaled as attention wants them, all in one product.
        """
        shape = self.shape
        positions = torch.cat([torch.arange(span.start, span.end) for span in spans])
        angles = (positions[:, None] * shape.frequencies)[:, None]  # (n, 1, head size / 2)
        turn = torch.polar(torch.full_like(angles, shape.rope_scale), angles)
        queries = (turn * shape.head_size**-0.5).expand(-1, shape.heads, -1)
        keys = turn.expand(-1, shape.key_heads, -1)
        return torch.cat((queries, keys, torch.ones_like(keys)), 1)

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        """RMS norm of each row of `x` (n, hidden)."""
        return functional.rms_norm(x, weight.shape, weight, self.shape.epsilon)

    def _attend(self, index: int, qkv: Tensor, turns: Tensor, spans: Sequence["_Span"]) -> Tensor:
        """Attention of new tokens to all before them, (n, heads * head size).

        Their keys and values are written into the texts' stores first.
        """
        shape, n = self.shape, qkv.shape[0]
        norm = self.layers[index].head_norm
        if norm is not None:
            queries_keys, values = qkv.view(n, -1, shape.head_size).split(
                (norm.shape[0], shape.key_heads), 1
            )
            normed = functional.rms_norm(queries_keys, norm.shape[-1:], None, shape.epsilon)
            qkv = torch.cat((normed * norm, values), 1)
        pairs = torch.view_as_complex(qkv.view(n, -1, shape.head_size // 2, 2))
        heads = torch.view_as_real(pairs * turns).view(n, -1, shape.head_size)
        window = shape.windows[index]
        seen = []
        for rows, text, start in spans:
            end = start + rows.stop - rows.start
            first = 0 if window is None else max(0, start + 1 - window)
            layer = text.layers[index]
            layer.both[:, start:end] = heads[rows, shape.heads :].transpose(0, 1)
            queries = heads[rows, : shape.heads]
            if end - start == 1:
                seen.append(_one(queries[0], layer, first, end))
            else:
                seen.append(_many(queries, layer, first, start, end, window))
        return seen[0] if len(seen) == 1 else torch.cat(seen)


def _sharpen(scores: Tensor, x: Tensor, head: Tensor) -> None:
    """Compute the highest `scores` (n, vocabulary) of `x` (n, hidden) again, in float32.

    A packed head gives bfloat16, whose steps are an eighth at 16 to 32, where scores often are: the
    likeliest tokens would be tied, and the wrong one taken.

    Args:
        head: (vocabulary, hidden), as it was before it was packed.
    """
    best = scores.topk(min(_SHARP, scores.shape[-1]), -1).indices
    rows = head[best].float()  # (n, best, hidden)
    scores.scatter_(-1, best, torch.bmm(rows, x[..., None])[..., 0])


class _Span(NamedTuple):
    """The new tokens of one text."""

    rows: slice
    """Where they are among those of all texts."""
    text: Text
    start: int
    """How many tokens the text had before."""

    @property
    def end(self) -> int:
        return self.start + self.rows.stop - self.rows.start


def _one(queries: Tensor, layer: LayerStore, first: int, end: int) -> Tensor:
    """Attention of a single token to those from `first` to `end`, (1, heads * head size).

    Args:
        queries: (heads, head size); those that share a key head are neighbours.
    """
    groups = queries.view(layer.keys.shape[0], -1, queries.shape[1])
    weights = torch.softmax(torch.bmm(groups, layer.keys_across[:, :, first:end]), -1)
    return torch.bmm(weights, layer.values[:, first:end]).view(1, -1)


def _many(
    queries: Tensor, layer: LayerStore, first: int, start: int, end: int, window: int | None
) -> Tensor:
    """Attention of the tokens from `start` to `end` to those from `first` on, (n, …) as `_one`.

    Args:
        queries: (n, heads, head size)
    """
    past, total = start - first, end - first
    mask = None
    if past or (window is not None and total > window):
        mask = torch.ones(end - start, total, dtype=torch.bool).tril_(past)
        if window is not None:
            mask.triu_(past + 1 - window)
    seen = functional.scaled_dot_product_attention(
        queries.transpose(0, 1)[None],
        layer.keys[None, :, first:end],
        layer.values[None, :, first:end],
        attn_mask=mask,
        is_causal=mask is None,
        scale=1.0,  # they are scaled already
        enable_gqa=True,
    )
    return seen[0].transpose(0, 1).reshape(end - start, -1)
