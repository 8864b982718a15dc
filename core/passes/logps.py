"""Log-probabilities of replies, from packed rows.

What every pass on the policy needs: only the positions that predict a reply's token go through the
LM head, and each of them belongs to exactly one sample, so a sample's reply is a sum over its own.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from core.packing import IGNORED
from core.passes.batches import packed_row
from core.passes.watch import Watch
from data.masks import Sample

if TYPE_CHECKING:
    import torch


class Logps(NamedTuple):
    tokens: "torch.Tensor"
    """(T) log-probability of each reply token, in nats."""
    owners: "torch.Tensor"
    """(T) the sample it belongs to."""
    replies: "torch.Tensor"
    """(S) log-probability of each sample's whole reply, its stop token included."""


def of_replies(model: Any, row: dict[str, Any]) -> Logps:
    """The log-probabilities of the replies in a packed row, differentiable."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    row = {name: row[name].to(model.device) for name in _NEEDED}
    labels = row["labels"][0]
    trained = (labels != IGNORED).nonzero()[:, 0]
    logits = model(
        input_ids=row["input_ids"],
        position_ids=row["position_ids"],
        attention_mask=row["attention_mask"],
        logits_to_keep=trained,
        use_cache=False,
    ).logits[0]
    tokens = -F.cross_entropy(logits.float(), labels[trained], reduction="none")
    owners = row["owners"][trained]
    replies = torch.zeros(len(row["ends"]), device=tokens.device).index_add(0, owners, tokens)
    return Logps(tokens, owners, replies)


_NEEDED = ("input_ids", "position_ids", "attention_mask", "labels", "owners", "ends")


def measure(
    model: Any, groups: Iterable[Sequence[Sample]], watch: Watch
) -> list[tuple[float, ...]]:
    """What `model` gives each reply of each group, without learning from it.

    A group is one packed row, and takes its turn beside the chat as a micro-batch does.

    Raises:
        Cancelled: `watch` was cancelled.
    """
    import torch

    training = model.training
    model.eval()
    found = []
    for group in groups:
        with watch.turns.micro_batch(watch.cancelled), torch.inference_mode():
            replies = of_replies(model, packed_row(group, model.dtype)).replies
            found.append(tuple(replies.tolist()))
    model.train(training)
    return found


def measure_base(
    model: Any, groups: Iterable[Sequence[Sample]], watch: Watch
) -> list[tuple[float, ...]]:
    """As `measure`, for the base under the adapter of `model`."""
    with model.disable_adapter():
        return measure(model, groups, watch)
