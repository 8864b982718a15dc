"""Drift: how far a policy has moved from its base, on replies of the base itself.

KL(base ‖ policy) of the next-token distributions, in nats a token, on replies that the base wrote:
brief ones, so that a manner somebody taught hardly counts (`core.training.base_replies`). Losses on
texts by people do not show this: a model that was taught short, curated replies finds such texts
likelier, whatever else it has forgotten.
"""

from collections.abc import Callable, Sequence
from typing import Any

from core.training.logprobs import reply_logits
from core.training.micro_batches import evaluation_rows, packed_row
from core.training.rehearsal import divergence
from core.training.run_control import RunControl
from data.tokenization import Sample

_LIKELIEST = 64
"""Tokens of each distribution that are told apart; all others count as one."""


def drift(
    model: Any,
    replies: Sequence[Sample],
    run_control: RunControl,
    on_read: Callable[[int], None] = lambda count: None,
) -> list[float]:
    """Return the mean divergence over the tokens of each reply, in nats a token.

    Args:
        model: A PEFT model; disabling its adapter gives the base.
        replies: Replies of the base.
        on_read: Called with the number of replies that have just been read.

    Raises:
        Cancelled: `run_control` was cancelled.
    """
    import torch

    training = model.training
    model.eval()
    found: list[float] = []
    for row in evaluation_rows(replies):
        with run_control.scheduler.micro_batch(run_control.cancelled), torch.inference_mode():
            packed = packed_row(row, model.dtype)
            with model.disable_adapter():
                read = reply_logits(model, packed)
            base = read.logits.softmax(-1).topk(min(_LIKELIEST, read.logits.shape[-1]))
            read = reply_logits(model, packed)  # replaces the logits of the base, which are large
            policy = read.logits.log_softmax(-1).gather(-1, base.indices)
            nats = divergence(base.values, policy)
            found += (read.by_reply(nats) / read.by_reply(torch.ones_like(nats))).tolist()
        on_read(len(row))
    model.train(training)
    return found
