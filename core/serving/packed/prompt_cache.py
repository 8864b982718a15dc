"""What the model has read, kept from prompt to prompt: keys and values of every layer.

A prompt goes on from the kept text that it shares the longest beginning with. Where it drops little
of that text's end, the text is cut and used; where it would drop much (another conversation with
the same system prompt, another branch), the common part is copied, so that both stay. The longest
unused leave first once all of them together take more than the budget.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_FIRST = 256
"""Tokens that a text has room for at first; it grows by half."""
_LITTLE = 64
"""Tokens that a text may lose to being cut."""


class LayerStore(NamedTuple):
    """The keys and values of one layer: views of one store, made once, not for every token."""

    both: Tensor
    """(key heads then value heads, room, head size)"""
    keys: Tensor
    """(key heads, room, head size)"""
    keys_across: Tensor
    """(key heads, head size, room)"""
    values: Tensor
    """(key heads, room, head size)"""


class Text:
    """Tokens that were read, with their keys and values.

    Args:
        reader: What read it: keys and values hang on the adapter.
        store: (layers, key heads then value heads, room, head size).
    """

    def __init__(self, reader: Hashable, store: Tensor, tokens: Sequence[int] = ()) -> None:
        self.reader = reader
        self.tokens = list(tokens)
        self._keep(store)

    def _keep(self, store: Tensor) -> None:
        self.store = store
        self.layers = []
        for both in store:
            keys, values = both.tensor_split(2)
            self.layers.append(LayerStore(both, keys, keys.transpose(1, 2), values))

    def reserve(self, count: int) -> None:
        """Make room for `count` tokens in all."""
        room = self.store.shape[2]
        if count <= room:
            return
        grown = _empty(self.store, max(count, room + room // 2))
        grown[:, :, : len(self.tokens)] = self.store[:, :, : len(self.tokens)]
        self._keep(grown)

    def copy(self, count: int | None = None) -> "Text":
        """A text of its own with the first `count` tokens, or all."""
        tokens = self.tokens[:count]
        store = _empty(self.store, max(_FIRST, len(tokens) + len(tokens) // 2))
        store[:, :, : len(tokens)] = self.store[:, :, : len(tokens)]
        return Text(self.reader, store, tokens)


class PromptCache:
    """The texts that were read, newest last.

    Args:
        layers, heads, size: Of the model; `heads` of keys.
        budget: Bytes that all texts together may take; the one in use may take more.
    """

    def __init__(self, layers: int, heads: int, size: int, budget: int) -> None:
        self._shape = (layers, 2 * heads, _FIRST, size)
        self._budget = budget
        self.texts: list[Text] = []

    @property
    def nbytes(self) -> int:
        return sum(text.store.nbytes for text in self.texts)

    def find(self, reader: Hashable, prompt: Sequence[int]) -> Text:
        """A text of `reader` that is a beginning of `prompt`, without its last token at least.

        It is the caller's to go on with until the next call.
        """
        best, common = None, 0
        for text in self.texts:
            if text.reader == reader and (count := shared(text.tokens, prompt)) >= common:
                best, common = text, count
        common = min(common, len(prompt) - 1)
        if best is None or common == 0:
            best = self.new(reader)
        elif len(best.tokens) - common > _LITTLE:
            best = best.copy(common)
        else:
            self.texts.remove(best)
            del best.tokens[common:]
        self.texts.append(best)
        self.trim()
        return best

    def new(self, reader: Hashable) -> Text:
        """An empty text, not kept."""
        return Text(reader, torch.empty(self._shape))

    def trim(self) -> None:
        """Let the longest unused go until the rest is within the budget."""
        while len(self.texts) > 1 and self.nbytes > self._budget:
            del self.texts[0]


def shared(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the longest common beginning."""
    for index, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return index
    return min(len(first), len(second))


def _empty(like: Tensor, room: int) -> Tensor:
    layers, heads, _, size = like.shape
    return like.new_empty(layers, heads, room, size)
