"""Run transformers' model forward: one reply at a time over a kept cache, or many side by side.

For training, and for chat where `core.serving.packed` does not serve the base. A plain loop around
transformers' forward pass, because its `generate` costs a fifth of the speed and cannot carry its
cache from one reply to the next.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.serving.packed.prompt_cache import shared
from core.serving.sampling import Sampler, side_by_side

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel

PREFILL = 256
"""Prompt tokens a forward pass on a processor; between two a person can stop the reply."""


class Decoder:
    """The model with the cache of what it has read last.

    A conversation grows at its end, so most of a prompt has been read before: only what comes
    after the longest common beginning is read anew.
    """

    chunk = PREFILL

    def __init__(
        self, model: "PreTrainedModel", reload: "Callable[[Path | None], Decoder] | None" = None
    ) -> None:
        self.model = model
        self.precision = str(model.dtype).removeprefix("torch.")
        self.nbytes = model.get_memory_footprint()
        self._reload = reload
        self._forget()

    def with_adapter(self, adapter: Path | None) -> "Decoder":
        """Another model, with that adapter merged in."""
        assert self._reload is not None
        return self._reload(adapter)

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
        """See `decode_together`."""
        return decode_together(
            self.model, prompts, new_sampler, stop, max_new_tokens, copies=copies, turn=turn
        )

    @torch.inference_mode()
    def read(self, prompt: Sequence[int], should_stop: Callable[[], bool]) -> Tensor | None:
        """Scores (1, vocabulary) for the token after `prompt`; None when asked to stop."""
        # The last token is always read: its scores are what is wanted.
        self._keep(min(shared(self._tokens, prompt), len(prompt) - 1))
        logits = None
        while len(self._tokens) < len(prompt):
            if should_stop():
                return None
            start = len(self._tokens)
            logits = self._forward(prompt[start : start + self.chunk])
        return logits

    @torch.inference_mode()
    def advance(self, token: int) -> Tensor:
        """Scores (1, vocabulary) for the token after `token`, which follows all read so far."""
        return self._forward([token])

    def _forward(self, tokens: Sequence[int]) -> Tensor:
        try:
            logits = self._scores(tokens)
        except BaseException:
            self._forget()  # some layers may have taken the tokens in, others not
            raise
        self._tokens += tokens
        return logits

    def _scores(self, tokens: Sequence[int]) -> Tensor:
        return forward(self.model, [tokens], self._cache)

    def _keep(self, count: int) -> None:
        """Cut the cache back to its first `count` tokens."""
        surplus = len(self._tokens) - count
        if not surplus:
            return
        # Sliding windows have dropped what would come back into view.
        if self._cache.is_croppable and not any(self._cache.is_sliding):
            self._cache.crop(-surplus)
            del self._tokens[count:]
        else:
            self._forget()

    def _forget(self) -> None:
        self._cache = new_cache(self.model)
        self._tokens: list[int] = []


@torch.inference_mode()
def decode_together(
    model: "PreTrainedModel",
    prompts: Sequence[Sequence[int]],
    new_sampler: Callable[[Tensor], Sampler],
    stop: frozenset[int],
    max_new_tokens: int,
    *,
    copies: int = 1,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[list[int]]:
    """The tokens of `copies` replies to each prompt, prompt by prompt.

    The token that ended a reply is its last; a reply without one was cut off. Prompts are padded on
    the left, so that all replies begin in the same column, and read once however many replies they
    get; a reply that has ended leaves the batch.

    Args:
        turn: Entered for the reading of the prompts and for each column of tokens.
    """
    width = max(map(len, prompts))
    padded = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = torch.tensor(
        [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts],
        device=model.device,
    )  # (replies, columns)
    cache = new_cache(model)
    with turn():
        logits = forward(model, padded, cache, mask)
    if copies > 1:
        cache.batch_repeat_interleave(copies)
        mask, logits = (x.repeat_interleave(copies, dim=0) for x in (mask, logits))

    def further(live: Sequence[int], tokens: Sequence[int]) -> Tensor:
        nonlocal mask
        if len(live) < len(mask):
            index = torch.tensor(live, device=model.device)
            cache.batch_select_indices(index)
            mask = mask[index]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=-1)
        return forward(model, [[token] for token in tokens], cache, mask)

    return side_by_side(logits, new_sampler(logits), stop, max_new_tokens, further, turn)


def forward(
    model: "PreTrainedModel",
    tokens: Sequence[Sequence[int]],
    cache: "DynamicCache",
    mask: Tensor | None = None,
) -> Tensor:
    """Scores (rows, vocabulary) for what comes after `tokens` (rows, n), which follow the cache.

    Args:
        mask: (rows, cached + n), 0 where a row is padded; None where none is.
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


def arrange(model: "PreTrainedModel") -> None:
    """Lay the weights out for one token at a time; their values stay as they are.

    A processor multiplies one row by a wide matrix about twice as fast where the matrix is stored
    column by column: a third more tokens a second on the built-in model. Prompts are read at the
    same speed either way.
    """
    if model.device.type != "cpu":
        return
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module.out_features > module.in_features:
            module.weight.data = module.weight.data.t().contiguous().t()


def new_cache(model: "PreTrainedModel") -> "DynamicCache":
    """An empty cache with the layers that `model` needs."""
    from transformers import DynamicCache

    return DynamicCache(config=model.config)
