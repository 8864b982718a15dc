"""The backend of a packed base with an adapter beside it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.adapters.peft_files import is_plain
from core.config import Serving
from core.models.folder import ModelFolder
from core.serving.backend import Backend, BatchStep, Slot
from core.serving.packed import lora, weights
from core.serving.packed.network import Network
from core.serving.packed.precision import describe, kind_chooser
from core.serving.packed.prompt_cache import KVCache, PromptCache

if TYPE_CHECKING:
    from transformers import PretrainedConfig

LoadWhole = Callable[[Path | None], Backend]
"""Loads the base with an adapter that cannot lie beside packed weights."""

_PREFILL_CHUNK = 256
"""Prompt tokens per forward pass; a reply can be stopped between two passes."""


def load(
    folder: ModelFolder, config: "PretrainedConfig", serving: Serving, load_whole: LoadWhole
) -> "PackedDecoder":
    """Load the base in `folder`, which `weights.supports`, without an adapter.

    Raises:
        TuteeError: it cannot be read.
    """
    network = weights.load(folder, config, kind_chooser(serving.precision))
    shape = network.shape
    cache = PromptCache(shape.layers, shape.kv_heads, shape.head_size, serving.cache_mb * 2**20)
    return PackedDecoder(network, cache, load_whole)


class PackedDecoder:
    """A `Backend` with one adapter; several of these share a network and a prompt cache.

    Args:
        adapter: A folder with an adapter that `is_plain`, or None.

    Raises:
        TuteeError: the adapter cannot be read.
    """

    def __init__(
        self,
        network: Network,
        cache: PromptCache,
        load_whole: LoadWhole | None = None,
        adapter: Path | None = None,
    ) -> None:
        self.network = network
        self.cache = cache
        self.precision = describe(network)
        self.nbytes = network.nbytes
        self._load_whole = load_whole
        self._directory = adapter
        self._adapter = lora.load(adapter, network.shape) if adapter is not None else None
        self._kv = cache.new(adapter)

    def with_adapter(self, adapter: Path | None) -> Backend:
        if adapter is None or is_plain(adapter):
            return PackedDecoder(self.network, self.cache, self._load_whole, adapter)
        assert self._load_whole is not None
        return self._load_whole(adapter)

    def prefill(self, prompt: Sequence[int], should_stop: Callable[[], bool]) -> Tensor | None:
        self._kv = kv = self.cache.find(self._directory, prompt)
        logits = None
        while (start := len(kv.tokens)) < len(prompt):
            if should_stop():
                return None
            logits = self._forward([(kv, prompt[start : start + _PREFILL_CHUNK])])
        return logits

    def decode_step(self, token: int) -> Tensor:
        return self._forward([(self._kv, [token])])

    def prefill_batch(
        self, prompts: Sequence[Sequence[int]], copies: int, slot: Slot
    ) -> tuple[Tensor, BatchStep]:
        caches: list[KVCache] = []
        logits: list[Tensor] = []
        for prompt in prompts:
            with slot():
                following = self.prefill(prompt, lambda: False)
            assert following is not None  # it was not asked to stop
            caches += [self._kv.copy() for _ in range(copies)]
            logits += [following] * copies

        def decode_step(live: Sequence[int], tokens: Sequence[int]) -> Tensor:
            nonlocal caches
            caches = [caches[row] for row in live]
            return self._forward([(kv, [token]) for kv, token in zip(caches, tokens, strict=True)])

        return torch.cat(logits), decode_step

    def _forward(self, inputs: Sequence[tuple[KVCache, Sequence[int]]]) -> Tensor:
        return self.network.forward(inputs, self._adapter)
