"""How samples become micro-batches: packed rows of a bounded number of tokens.

A micro-batch is what a reply, or a cancel, may have to wait for, so it is kept to about a second of
work on two cores; a card takes larger ones (`core.training.memory_budget.micro_batch_tokens`). The
optimiser step stays at the settings' batch size by accumulation.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from core.training import packing
from data.tokenization import Sample

if TYPE_CHECKING:
    import torch

MICRO_BATCH_TOKENS = 320
"""Packed tokens a micro-batch should hold at most on a processor."""


def micro_batch_size(groups: Sequence[Sequence[Sample]], batch_size: int, most: int) -> int:
    """The largest divisor of `batch_size` whose packed micro-batches have `most` tokens at most.

    On average; one longer group still makes one.

    Args:
        groups: The samples that always travel together: one for SFT, two for a preference pair.
    """
    for size in range(batch_size, 1, -1):
        if batch_size % size:
            continue
        chunks = [groups[i : i + size] for i in range(0, len(groups), size)]
        lengths = [packed_length([s for group in chunk for s in group]) for chunk in chunks]
        if sum(lengths) <= most * len(lengths):
            return size
    return 1


def packed_length(samples: Sequence[Sample]) -> int:
    """Tokens that go through the model when `samples` share one row."""
    return packing.packed_length(*_columns(samples))


def packed_row(samples: Sequence[Sample], dtype: "torch.dtype") -> dict[str, Any]:
    """One packed micro-batch for a trainer.

    Returns:
        `packing.tensors` of the samples, and the plain number `sample_tokens`, each sample counted
        whole.
    """
    return {
        **packing.tensors(packing.layout(*_columns(samples)), dtype),
        "sample_tokens": sum(len(sample.input_ids) for sample in samples),
    }


def _columns(samples: Sequence[Sample]) -> tuple[list[tuple[int, ...]], list[int]]:
    return [s.input_ids for s in samples], [s.reply_start for s in samples]


def collator(
    groups: Sequence[Sequence[Sample]], dtype: "torch.dtype"
) -> Callable[[list[dict[str, int]]], dict[str, Any]]:
    """A data collator for a dataset that holds only each group's index in `groups`."""
    return lambda rows: packed_row([s for row in rows for s in groups[row["index"]]], dtype)


def index_dataset(size: int) -> Any:
    """A `datasets.Dataset` of the indices 0 … size-1: the samples themselves stay plain Python."""
    from datasets import Dataset

    return Dataset.from_dict({"index": list(range(size))})
