"""Generate many replies side by side, the same way on every backend."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from core.serving.backend import BatchStep, Slot
from core.serving.sampling import Sampler

PrefillBatch = Callable[[Sequence[Sequence[int]], int, Slot], tuple[Tensor, BatchStep]]
"""As `Backend.prefill_batch`."""


@torch.inference_mode()
def generate_batch(
    prefill_batch: PrefillBatch,
    prompts: Sequence[Sequence[int]],
    new_sampler: Callable[[Tensor], Sampler],
    stop: frozenset[int],
    max_new_tokens: int | Sequence[int],
    *,
    copies: int = 1,
    slot: Slot = nullcontext,
    on_ended: Callable[[int], None] = lambda count: None,
) -> list[list[int]]:
    """Return the tokens of `copies` replies to each prompt, prompt by prompt.

    A stop token is kept as the last token of its reply; a reply without one was cut off. A reply
    that has ended leaves the batch.

    Args:
        max_new_tokens: Maximum of all replies, or of the replies to each prompt.
        on_ended: Called with the number of replies that have just ended.
        slot: Entered for the prefill and for each decode step; an error it raises ends the batch.
    """
    logits, decode_step = prefill_batch(prompts, copies, slot)
    sampler = new_sampler(logits)
    replies: list[list[int]] = [[] for _ in range(len(logits))]
    rows = list(range(len(logits)))  # the reply that each row of the batch belongs to
    each = [max_new_tokens] * len(prompts) if isinstance(max_new_tokens, int) else max_new_tokens
    limits = [limit for limit in each for _ in range(copies)]
    while rows:
        with slot():
            tokens = sampler.pick(logits)
            for row, token in zip(rows, tokens, strict=True):
                replies[row].append(token)
            live = [
                row
                for row, token in enumerate(tokens)
                if token not in stop and len(replies[rows[row]]) < limits[rows[row]]
            ]
            ended = len(rows) - len(live)
            rows = [rows[row] for row in live]
            if live:
                if ended:
                    sampler.keep(live)
                logits = decode_step(live, [tokens[row] for row in live])
        if ended:
            on_ended(ended)
    return replies
