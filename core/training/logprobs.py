"""Log-probabilities of replies, from packed rows.

What every pass on the policy needs: only the positions that predict a reply's token go through the
LM head, and each of them belongs to exactly one sample, so a sample's reply is a sum over its own.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from core.training.micro_batches import packed_row
from core.training.packing import IGNORED
from core.training.run_control import RunControl
from data.tokenization import Sample

if TYPE_CHECKING:
    import torch


class Scores(NamedTuple):
    logits: "torch.Tensor"
    """(T, vocabulary) in float32, where T are the reply tokens of all samples."""
    targets: "torch.Tensor"
    """(T) the tokens they are to predict."""
    owners: "torch.Tensor"
    """(T) the sample each belongs to; within a sample they keep their order."""
    samples: int

    def logps(self) -> "torch.Tensor":
        """(T) log-probability of each reply token, in nats."""
        import torch.nn.functional as F  # noqa: N812

        return -F.cross_entropy(self.logits, self.targets, reduction="none")

    def by_reply(self, values: "torch.Tensor") -> "torch.Tensor":
        """(samples) the sum of `values` (T) over each reply, its stop token included."""
        return values.new_zeros(self.samples).index_add(0, self.owners, values)


def of_replies(model: Any, row: dict[str, Any]) -> Scores:
    """What `model` scores the reply tokens in a packed row, differentiable."""
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
    return Scores(logits.float(), labels[trained], row["owners"][trained], len(row["ends"]))


_NEEDED = ("input_ids", "position_ids", "attention_mask", "labels", "owners", "ends")


def measure(
    model: Any, groups: Iterable[Sequence[Sample]], run_control: RunControl
) -> list[tuple[float, ...]]:
    """Log-probability of each reply of each group under `model`, which learns nothing from it.

    A group is one packed row, and takes its turn beside the chat as a micro-batch does.

    Raises:
        Cancelled: `run_control` was cancelled.
    """
    import torch

    training = model.training
    model.eval()
    found = []
    for group in groups:
        with run_control.scheduler.micro_batch(run_control.cancelled), torch.inference_mode():
            scores = of_replies(model, packed_row(group, model.dtype))
            found.append(tuple(scores.by_reply(scores.logps()).tolist()))
    model.train(training)
    return found


def measure_base(
    model: Any, groups: Iterable[Sequence[Sample]], run_control: RunControl
) -> list[tuple[float, ...]]:
    """As `measure`, for the base under the adapter of `model`."""
    with model.disable_adapter():
        return measure(model, groups, run_control)
