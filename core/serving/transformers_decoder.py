"""Decode with transformers' own model: one reply over a kept cache, or a batch.

Used in training, and in chat where `core.serving.packed` does not support the base or the device. A
plain loop around transformers' forward pass, because its `generate` is slower and cannot carry its
cache from one reply to the next.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.serving.backend import BatchStep, Slot
from core.serving.packed.prompt_cache import common_prefix

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel

PREFILL_CHUNK = 256
"""Prompt tokens per forward pass on a CPU; a reply can be stopped between two passes."""


class TransformersDecoder:
    """A `Backend`: a model with the KV cache of the last sequence.

    A conversation grows at its end, so a prefill runs only the tokens after the longest prefix that
    prompt and cache have in common.
    """

    chunk = PREFILL_CHUNK

    def __init__(
        self,
        model: "PreTrainedModel",
        reload: "Callable[[Path | None], TransformersDecoder] | None" = None,
    ) -> None:
        self.model = model
        self.precision = str(model.dtype).removeprefix("torch.")
        self.nbytes = model.get_memory_footprint()
        self._reload = reload
        self._reset()

    def with_adapter(self, adapter: Path | None) -> "TransformersDecoder":
        """Load another model, with that adapter merged in."""
        assert self._reload is not None
        return self._reload(adapter)

    def prefill_batch(
        self, prompts: Sequence[Sequence[int]], copies: int, slot: Slot
    ) -> tuple[Tensor, BatchStep]:
        """See `Backend.prefill_batch`; the kept cache is not touched."""
        return prefill_batch(self.model, prompts, copies, slot)

    @torch.inference_mode()
    def prefill(self, prompt: Sequence[int], should_stop: Callable[[], bool]) -> Tensor | None:
        # The last token is always run, for its logits.
        self._crop(min(common_prefix(self._tokens, prompt), len(prompt) - 1))
        logits = None
        while len(self._tokens) < len(prompt):
            if should_stop():
                return None
            start = len(self._tokens)
            logits = self._append(prompt[start : start + self.chunk])
        return logits

    @torch.inference_mode()
    def decode_step(self, token: int) -> Tensor:
        return self._append([token])

    def _append(self, tokens: Sequence[int]) -> Tensor:
        try:
            logits = self._forward(tokens)
        except BaseException:
            self._reset()  # some layers may have cached the tokens, others not
            raise
        self._tokens += tokens
        return logits

    def _forward(self, tokens: Sequence[int]) -> Tensor:
        return forward(self.model, [tokens], self._cache)

    def _crop(self, count: int) -> None:
        """Cut the cache back to its first `count` tokens."""
        surplus = len(self._tokens) - count
        if not surplus:
            return
        # A sliding window has dropped the tokens that would come back into view.
        if self._cache.is_croppable and not any(self._cache.is_sliding):
            self._cache.crop(-surplus)
            del self._tokens[count:]
        else:
            self._reset()

    def _reset(self) -> None:
        self._cache = new_cache(self.model)
        self._tokens: list[int] = []


def prefill_batch(
    model: "PreTrainedModel", prompts: Sequence[Sequence[int]], copies: int, slot: Slot
) -> tuple[Tensor, BatchStep]:
    """See `Backend.prefill_batch`.

    Prompts are padded on the left, so that all replies begin in the same column, and run in one
    forward pass.
    """
    width = max(map(len, prompts))
    padded = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = torch.tensor(
        [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device
    )  # (replies, columns)
    cache = new_cache(model)
    with slot():
        logits = forward(model, padded, cache, mask)
    if copies > 1:
        cache.batch_repeat_interleave(copies)
        mask, logits = (x.repeat_interleave(copies, dim=0) for x in (mask, logits))

    def decode_step(live: Sequence[int], tokens: Sequence[int]) -> Tensor:
        nonlocal mask
        if len(live) < len(mask):
            index = torch.tensor(live, device=model.device)
            cache.batch_select_indices(index)
            mask = mask[index]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=-1)
        return forward(model, [[token] for token in tokens], cache, mask)

    return logits, decode_step


def forward(
    model: "PreTrainedModel",
    tokens: Sequence[Sequence[int]],
    cache: "DynamicCache",
    mask: Tensor | None = None,
) -> Tensor:
    """Append `tokens` (rows, n) to `cache` and return the logits (rows, vocabulary) after them.

    Args:
        mask: (rows, cached + n), 0 for padding; None if there is none.
    """
    ids = torch.tensor([list(row) for row in tokens], device=model.device)
    positions = None
    if mask is not None:
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return output.logits[:, -1]


def lay_out_for_decoding(model: "PreTrainedModel") -> None:
    """Store wide matrices by columns; their values stay the same.

    A CPU multiplies one row by a wide matrix about twice as fast this way, and prefills at the same
    speed.
    """
    if model.device.type != "cpu":
        return
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module.out_features > module.in_features:
            module.weight.data = module.weight.data.t().contiguous().t()


def new_cache(model: "PreTrainedModel") -> "DynamicCache":
    """Return an empty cache with the layers that `model` needs."""
    from transformers import DynamicCache

    return DynamicCache(config=model.config)
