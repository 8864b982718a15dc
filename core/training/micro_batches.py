"""Group samples into micro-batches: packed rows of a bounded number of tokens.

A reply in the chat, or a cancel, may have to wait for one micro-batch, so it is limited to about a
second of work on two cores; GPUs take larger ones (`core.training.memory_budget`). Gradient
accumulation keeps the optimizer step at the settings' batch size.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from core.training import packing
from data.tokenization import Sample

if TYPE_CHECKING:
    import torch

Collator = Callable[[list[dict[str, int]]], dict[str, Any]]
"""From rows of an `index_dataset` to one packed micro-batch."""
MICRO_BATCH_TOKENS = 320
"""Maximum packed tokens per micro-batch on a CPU."""
KTO_LEAST = 2
"""Fewest replies of a KTO micro-batch: each needs another one for the KL estimate."""
EVALUATION_TOKENS = 400
"""Tokens in a row that is only evaluated: about half a second on two cores."""


def micro_batch_size(
    groups: Sequence[Sequence[Sample]], batch_size: int, most: int, least: int = 1
) -> int:
    """Return the largest divisor of `batch_size` whose packed micro-batches fit into `most` tokens.

    The limit holds on average, and the smallest micro-batch may exceed it.

    Args:
        groups: Samples that share a micro-batch: one for SFT, two for a preference pair.
        least: Fewest groups of a micro-batch, at most `batch_size`.
    """
    sizes = [size for size in range(least, batch_size + 1) if batch_size % size == 0]
    for size in reversed(sizes[1:]):
        chunks = [groups[i : i + size] for i in range(0, len(groups), size)]
        lengths = [packed_length([s for group in chunk for s in group]) for chunk in chunks]
        if sum(lengths) <= most * len(lengths):
            return size
    return sizes[0]


def packed_length(samples: Sequence[Sample]) -> int:
    """Return the tokens that go through the model when `samples` share one row."""
    return packing.packed_length(*_columns(samples))


def packed_row(samples: Sequence[Sample], dtype: "torch.dtype") -> dict[str, Any]:
    """Return one packed micro-batch for a trainer.

    Returns:
        `packing.tensors` of the samples, and `sample_tokens`, an int: the tokens of all samples,
        shared ones counted for each.
    """
    return {
        **packing.tensors(packing.layout(*_columns(samples)), dtype),
        "sample_tokens": sum(len(sample.input_ids) for sample in samples),
    }


def _columns(samples: Sequence[Sample]) -> tuple[list[tuple[int, ...]], list[int]]:
    return [s.input_ids for s in samples], [s.reply_start for s in samples]


def collator(groups: Sequence[Sequence[Sample]], dtype: "torch.dtype") -> Collator:
    """Return a data collator for a dataset that holds only each group's index in `groups`."""
    return lambda rows: packed_row([s for row in rows for s in groups[row["index"]]], dtype)


def index_dataset(size: int) -> Any:
    """Return a `datasets.Dataset` of the indices 0 … size-1; the samples stay plain Python."""
    from datasets import Dataset

    return Dataset.from_dict({"index": list(range(size))})


def evaluation_rows(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Split `samples` into rows of at most `EVALUATION_TOKENS`, longer ones alone."""
    rows: list[list[Sample]] = []
    room = 0
    for sample in samples:
        if len(sample.input_ids) > room:
            rows.append([])
            room = EVALUATION_TOKENS
        rows[-1].append(sample)
        room -= len(sample.input_ids)
    return rows
