"""Check before a pass that it will learn the replies and nothing else.

A wrong loss mask does not show in the loss: the run looks healthy and teaches the model to write
prompts, or never to stop. So every sample is recovered from the very tensors that training will use
and compared with the original: no prompt token carries loss, every reply token does, the last one
and no other ends a reply, and no token of another sample is visible.

RL has nothing to check: its replies do not exist yet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.events import MaskProof, PassName
from core.runtime.scheduler import Cancelled
from core.training.micro_batches import KTO_LEAST, micro_batch_size, packed_row
from core.training.packing import IGNORED
from core.training.run_control import RunControl
from data.tokenization import Sample, pieces, stop_ids
from store.errors import TuteeError
from store.i18n import _

_SHOWN = 3


def check_loss_mask(
    name: PassName,
    tokenizer: Any,
    groups: Sequence[Sequence[Sample]],
    batch_size: int,
    most: int,
    run_control: RunControl,
) -> MaskProof:
    """Check all samples in the micro-batches that training will form, and report the result.

    Args:
        groups: Samples that share a micro-batch: two for a preference pair.
        batch_size: Groups per optimizer step.
        most: Maximum number of tokens per micro-batch.

    Raises:
        TuteeError: a token carries loss and must not, or must and does not.
        Cancelled: `run_control` was cancelled.
    """
    size = micro_batch_size(groups, batch_size, most, KTO_LEAST if name == "kto" else 1)
    check = _check_scored if name == "reward" else _check_trained
    stop = stop_ids(tokenizer)
    rows = [
        _check_row(
            [sample for group in groups[i : i + size] for sample in group], stop, check, run_control
        )
        for i in range(0, len(groups), size)
    ]
    samples = [sample for group in groups for sample in group]
    packed = sum(row.tokens for row in rows)
    report = MaskProof(
        name=name,
        samples=len(samples),
        tokens=sum(len(sample.input_ids) for sample in samples),
        packed_tokens=packed,
        largest=max((row.tokens for row in rows), default=0),
        padding=sum(row.padding for row in rows) / max(packed, 1),
        trained=sum(row.trained for row in rows),
        shown=tuple(
            tuple(pieces(tokenizer, _as_learned(name, sample))) for sample in _spread(samples)
        ),
    )
    run_control.emit(report)
    return report


@dataclass(frozen=True)
class _Row:
    tokens: int
    padding: int
    trained: int


_Check = Callable[[dict[str, Any], Sample, int, Any], int]
"""From a row, one of its samples, its number and its positions: the number of trained tokens."""


def _check_row(
    samples: Sequence[Sample], stop: frozenset[int], check: _Check, run_control: RunControl
) -> _Row:
    import torch

    if run_control.cancelled.is_set():
        raise Cancelled
    row = packed_row(samples, torch.float32)
    seen = torch.zeros_like(row["input_ids"][0], dtype=torch.bool)
    trained = 0
    for number, sample in enumerate(samples):
        # The positions that the last token attends to are the sample as the model sees it.
        path = (row["attention_mask"][0, 0, row["ends"][number]] == 0).nonzero()[:, 0]
        _require(
            tuple(row["input_ids"][0, path].tolist()) == sample.input_ids
            and row["position_ids"][0, path].tolist() == list(range(len(path))),
            _("The check before training failed: the model would see a different sample."),
        )
        _require(
            sample.input_ids[-1] in stop,
            _("The check before training failed: a sample does not end with a stop token."),
        )
        _require(
            stop.isdisjoint(sample.input_ids[sample.reply_start : -1]),
            _("The check before training failed: a reply has a stop token before its end."),
        )
        seen[path] = True
        trained += check(row, sample, number, path)
    if check is _check_trained:
        _require(
            int((row["labels"] != IGNORED).sum()) == trained,
            _("The check before training failed: tokens outside all replies would be learned."),
        )
    return _Row(len(seen), int((~seen).sum()), trained)


def _check_trained(row: dict[str, Any], sample: Sample, number: int, path: Any) -> int:
    labels = row["labels"][0, path].tolist()
    reply = list(sample.input_ids[sample.reply_start :])
    before = sample.reply_start - 1  # the last token of the prompt predicts the first of the reply
    _require(
        set(labels[:before]) <= {IGNORED},
        _("The check before training failed: a prompt would be learned."),
    )
    _require(
        labels[before:] == [*reply, IGNORED],
        _("The check before training failed: part of a reply would not be learned."),
    )
    _require(
        set(row["owners"][path[before:-1]].tolist()) == {number},
        _("The check before training failed: a reply would be attributed to another sample."),
    )
    return len(reply)


def _check_scored(row: dict[str, Any], sample: Sample, number: int, path: Any) -> int:
    """Check the reward model's only trained position, the end of the reply."""
    _require(
        int(path[-1]) == int(row["ends"][number]),
        _("The check before training failed: a reply would be scored before its end."),
    )
    return 1


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise TuteeError(
            otherwise,
            _("Nothing was trained: this model's chat template does not work with Tutee."),
        )


def _as_learned(name: PassName, sample: Sample) -> Sample:
    if name == "reward":
        return Sample(sample.input_ids, len(sample.input_ids) - 1)
    return sample


def _spread(samples: Sequence[Sample]) -> list[Sample]:
    """Pick a few samples, evenly spaced."""
    if len(samples) <= _SHOWN:
        return list(samples)
    return [samples[i * (len(samples) - 1) // (_SHOWN - 1)] for i in range(_SHOWN)]
