"""KV caches kept from prompt to prompt.

A prompt continues the cache that shares its longest prefix. If that drops only a few tokens of the
cache, the cache is cut and used; if it drops many (another conversation with the same system
prompt, another branch), the common part is copied and both stay. The least recently used caches
leave once all of them exceed the budget.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_INITIAL_ROOM = 256
"""Initial room of a cache in tokens; it grows by half."""
_MOST_CUT = 64
"""Tokens that a cache may lose to being cut."""


class LayerKV(NamedTuple):
    """The keys and values of one layer: views of one store, made once instead of per token."""

    both: Tensor
    """(key heads then value heads, room, head size)"""
    keys: Tensor
    """(KV heads, room, head size)"""
    keys_transposed: Tensor
    """(KV heads, head size, room)"""
    values: Tensor
    """(KV heads, room, head size)"""


class KVCache:
    """Tokens with their keys and values.

    Args:
        adapter: The adapter they were computed with, on which keys and values depend.
        store: (layers, key heads then value heads, room, head size).
    """

    def __init__(self, adapter: Hashable, store: Tensor, tokens: Sequence[int] = ()) -> None:
        self.adapter = adapter
        self.tokens = list(tokens)
        self._set_store(store)

    def _set_store(self, store: Tensor) -> None:
        self.store = store
        self.layers = []
        for both in store:
            keys, values = both.tensor_split(2)
            self.layers.append(LayerKV(both, keys, keys.transpose(1, 2), values))

    def reserve(self, count: int) -> None:
        """Make room for `count` tokens in all."""
        room = self.store.shape[2]
        if count <= room:
            return
        grown = _empty(self.store, max(count, room + room // 2))
        grown[:, :, : len(self.tokens)] = self.store[:, :, : len(self.tokens)]
        self._set_store(grown)

    def copy(self, count: int | None = None) -> "KVCache":
        """Return an independent cache of the first `count` tokens, or of all."""
        tokens = self.tokens[:count]
        store = _empty(self.store, max(_INITIAL_ROOM, len(tokens) + len(tokens) // 2))
        store[:, :, : len(tokens)] = self.store[:, :, : len(tokens)]
        return KVCache(self.adapter, store, tokens)


class PromptCache:
    """The kept KV caches, most recently used last.

    Args:
        budget: Bytes that all caches together may take; the one in use may exceed it alone.
    """

    def __init__(self, layers: int, kv_heads: int, head_size: int, budget: int) -> None:
        self._shape = (layers, 2 * kv_heads, _INITIAL_ROOM, head_size)
        self._budget = budget
        self.entries: list[KVCache] = []

    @property
    def nbytes(self) -> int:
        return sum(kv.store.nbytes for kv in self.entries)

    def find(self, adapter: Hashable, prompt: Sequence[int]) -> KVCache:
        """Return a cache of `adapter` holding a prefix of `prompt`, never its last token.

        The caller may append to it until the next call.
        """
        best, common = None, 0
        for kv in self.entries:
            if kv.adapter == adapter and (count := common_prefix(kv.tokens, prompt)) >= common:
                best, common = kv, count
        common = min(common, len(prompt) - 1)
        if best is None or common == 0:
            best = self.new(adapter)
        elif len(best.tokens) - common > _MOST_CUT:
            best = best.copy(common)
        else:
            self.entries.remove(best)
            del best.tokens[common:]
        self.entries.append(best)
        while len(self.entries) > 1 and self.nbytes > self._budget:
            del self.entries[0]
        return best

    def new(self, adapter: Hashable) -> KVCache:
        """Return an empty cache that is not kept."""
        return KVCache(adapter, torch.empty(self._shape))


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    for index, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return index
    return min(len(first), len(second))


def _empty(like: Tensor, room: int) -> Tensor:
    layers, heads, _, size = like.shape
    return like.new_empty(layers, heads, room, size)
