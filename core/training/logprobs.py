"""Log-probabilities of replies in packed rows.

Only positions that predict a reply token go through the LM head. Each belongs to exactly one
sample, so the log-probability of a reply is the sum over its sample's positions.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from core.training.micro_batches import packed_row
from core.training.packing import IGNORED, INPUTS
from core.training.run_control import RunControl
from data.tokenization import Sample

if TYPE_CHECKING:
    import torch


class ReplyLogits(NamedTuple):
    """Logits at the positions that predict reply tokens; T positions in all."""

    logits: "torch.Tensor"
    """(T, vocabulary), in float32."""
    targets: "torch.Tensor"
    """(T) the reply tokens."""
    owners: "torch.Tensor"
    """(T) index of the sample each position belongs to; in order within a sample."""
    samples: int

    def logps(self) -> "torch.Tensor":
        """Return (T) the log-probability of each reply token, in nats."""
        import torch.nn.functional as F  # noqa: N812

        return -F.cross_entropy(self.logits, self.targets, reduction="none")

    def split(self, samples: int) -> "tuple[ReplyLogits, ReplyLogits]":
        """Return the logits of the first `samples` samples, and those of the others."""
        first = self.owners < samples
        return (
            ReplyLogits(self.logits[first], self.targets[first], self.owners[first], samples),
            ReplyLogits(
                self.logits[~first],
                self.targets[~first],
                self.owners[~first] - samples,
                self.samples - samples,
            ),
        )

    def by_reply(self, values: "torch.Tensor") -> "torch.Tensor":
        """Return (samples) the sum of `values` (T) over each reply, stop token included."""
        return values.new_zeros(self.samples).index_add(0, self.owners, values)


def reply_logits(model: Any, row: dict[str, Any]) -> ReplyLogits:
    """Return the logits of `model` for the reply tokens in a packed row, differentiable."""
    row = {name: row[name].to(model.device) for name in _NEEDED}
    labels = row["labels"][0]
    trained = (labels != IGNORED).nonzero()[:, 0]
    inputs = {name: row[name] for name in INPUTS}
    logits = model(**inputs, logits_to_keep=trained, use_cache=False).logits[0]
    return ReplyLogits(logits.float(), labels[trained], row["owners"][trained], len(row["ends"]))


_NEEDED = (*INPUTS, "labels", "owners", "ends")


def reply_logps(
    model: Any, groups: Iterable[Sequence[Sample]], run_control: RunControl
) -> list[tuple[float, ...]]:
    """Return the log-probability of each reply of each group under `model`, without gradients.

    A group is one packed row, scheduled beside the chat like a micro-batch.

    Raises:
        Cancelled: `run_control` was cancelled.
    """
    import torch

    training = model.training
    model.eval()
    found = []
    for group in groups:
        with run_control.scheduler.micro_batch(run_control.cancelled), torch.inference_mode():
            replies = reply_logits(model, packed_row(group, model.dtype))
            found.append(tuple(replies.by_reply(replies.logps()).tolist()))
    model.train(training)
    return found


def base_reply_logps(
    model: Any, groups: Iterable[Sequence[Sample]], run_control: RunControl
) -> list[tuple[float, ...]]:
    """Return `reply_logps` of the base under the adapter of `model`."""
    with model.disable_adapter():
        return reply_logps(model, groups, run_control)
