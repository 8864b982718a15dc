"""A base, packed, and an adapter beside it: reads prompts and goes on, one token at a time."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.adapters.peft_files import is_plain
from core.config import Serving
from core.models.folder import ModelFolder
from core.serving.packed import lora, weights
from core.serving.packed.network import Network
from core.serving.packed.precision import chooser, described
from core.serving.packed.prompt_cache import PromptCache, Text
from core.serving.sampling import Sampler, side_by_side

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from core.serving.backend import Backend

Whole = Callable[[Path | None], "Backend"]

_CHUNK = 256
"""Prompt tokens a forward pass; between two of them a person can stop the reply."""


def load(
    folder: ModelFolder, config: "PretrainedConfig", serving: Serving, whole: Whole
) -> "PackedDecoder":
    """The base in `folder`, which `reading.supports`, without an adapter.

    Raises:
        TuteeError: it cannot be read.
    """
    network = weights.read(folder, config, chooser(serving.precision))
    shape = network.shape
    budget = serving.cache_mb * 2**20
    cache = PromptCache(shape.layers, shape.key_heads, shape.head_size, budget)
    return PackedDecoder(network, cache, whole)


class PackedDecoder:
    """Answers with one adapter; several of these share a network and a cache.

    Args:
        whole: Loads the base with an adapter that cannot lie beside packed weights.
        adapter: A folder with one that can, or None.

    Raises:
        TuteeError: the adapter cannot be read.
    """

    def __init__(
        self,
        network: Network,
        cache: PromptCache,
        whole: Whole | None = None,
        adapter: Path | None = None,
    ) -> None:
        self.network = network
        self.cache = cache
        self.precision = described(network)
        self.nbytes = network.nbytes
        self._whole = whole
        self._reader = adapter
        self._adapter = lora.read(adapter, network.shape) if adapter is not None else None
        self._text = cache.new(self._reader)

    def with_adapter(self, adapter: Path | None) -> "Backend":
        """The same base with another adapter."""
        if adapter is None or is_plain(adapter):
            return PackedDecoder(self.network, self.cache, self._whole, adapter)
        assert self._whole is not None
        return self._whole(adapter)

    def read(self, prompt: Sequence[int], should_stop: Callable[[], bool]) -> Tensor | None:
        """Scores (1, vocabulary) for the token after `prompt`; None when asked to stop."""
        self._text = text = self.cache.find(self._reader, prompt)
        logits = None
        while (start := len(text.tokens)) < len(prompt):
            if should_stop():
                return None
            logits = self._forward([(text, prompt[start : start + _CHUNK])])
        return logits

    def advance(self, token: int) -> Tensor:
        """Scores (1, vocabulary) for the token after `token`, which follows all read so far."""
        return self._forward([(self._text, [token])])

    def together(
        self,
        prompts: Sequence[Sequence[int]],
        new_sampler: Callable[[Tensor], Sampler],
        stop: frozenset[int],
        max_new_tokens: int,
        *,
        copies: int = 1,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> list[list[int]]:
        """The tokens of `copies` replies to each prompt."""
        texts: list[Text] = []
        scores: list[Tensor] = []
        for prompt in prompts:
            with turn():
                logits = self.read(prompt, lambda: False)
            assert logits is not None  # it was not asked to stop
            texts += [self._text.copy() for _ in range(copies)]
            scores += [logits] * copies

        def further(live: Sequence[int], tokens: Sequence[int]) -> Tensor:
            nonlocal texts
            texts = [texts[row] for row in live]
            return self._forward([(t, [token]) for t, token in zip(texts, tokens, strict=True)])

        logits = torch.cat(scores)
        return side_by_side(logits, new_sampler(logits), stop, max_new_tokens, further, turn)

    def _forward(self, parts: Sequence[tuple[Text, Sequence[int]]]) -> Tensor:
        return self.network.read(parts, self._adapter)
