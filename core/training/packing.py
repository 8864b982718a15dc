"""Samples packed into one row, with every shared beginning computed once.

The samples of a chat have long beginnings in common: the system prompt, the earlier turns, the
instruction that is asked again and again, and both sides of a preference pair share their whole
prompt. A causal model gives a token the same hidden state wherever its past is the same, so such
beginnings need to go through the model once, not once a sample. `pack` lays the samples out as a
prefix tree in one row: each token's attention mask is its path back to the root and its position
is its depth. Loss and gradients are those of the padded batch, up to rounding, with no padding and
fewer tokens (measured by `make bench`).

Only tokens of the prompt are shared, and never the last one before a reply: from there on each
sample predicts its own tokens.

The idea is tree attention, known from speculative decoding (SpecInfer, arXiv 2305.09781), used
here for training. Left out on purpose: models that limit attention to a sliding window shorter
than a sample, because the mask here overrides the window; callers keep samples below it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""The label of a token that carries no loss; cross-entropy's own convention."""


Run = tuple[int, int]
"""Neighbouring tokens: the index of the first, and that after the last."""


@dataclass(frozen=True)
class Layout:
    """A packed row as plain numbers, `N` tokens of `S` samples."""

    input_ids: list[int]
    """(N)"""
    positions: list[int]
    """(N) each token's place in its own sample."""
    targets: list[int]
    """(N) the token each one is trained to predict, or `IGNORED`."""
    owners: list[int]
    """(N) the sample whose token it is; of a shared one, any of those that share it."""
    ends: list[int]
    """(S) index of each sample's last token, in the order the samples were given."""
    runs: list[list[Run]]
    """(S) where each sample lies, in the order they were laid out: all of its last run is its own,
    the others are beginnings that it shares with samples before it."""


def layout(samples: Sequence[Sequence[int]], reply_starts: Sequence[int]) -> Layout:
    """Lay `samples` out as a prefix tree.

    Args:
        samples: Token ids, one sequence a sample.
        reply_starts: Index of each sample's first reply token; loss is on it and all after it.
    """
    input_ids: list[int] = []
    positions: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    ends = [0] * len(samples)
    laid: list[list[Run]] = []
    runs: list[Run] = []
    previous: Sequence[int] = ()
    shareable = 0
    # In sorted order each sample's longest shared beginning is the one it has with its neighbour.
    for index in sorted(range(len(samples)), key=lambda i: tuple(samples[i])):
        ids, start = samples[index], reply_starts[index]
        limit = min(shareable, start - 1, len(previous), len(ids))
        shared = next((i for i in range(limit) if ids[i] != previous[i]), max(limit, 0))
        first, new = len(input_ids), range(shared, len(ids))
        runs = [*_beginning(runs, shared), (first, first + len(new))]
        laid.append(runs)
        input_ids += ids[shared:]
        positions += new
        targets += (
            ids[following] if start <= following < len(ids) else IGNORED
            for following in range(shared + 1, len(ids) + 1)
        )
        owners += [index] * len(new)
        ends[index] = len(input_ids) - 1
        previous, shareable = ids, start - 1
    return Layout(input_ids, positions, targets, owners, ends, laid)


def _beginning(runs: Sequence[Run], count: int) -> Iterator[Run]:
    """The first `count` tokens of `runs`."""
    for start, stop in runs:
        if count <= 0:
            return
        yield start, min(stop, start + count)
        count -= stop - start


def packed_length(samples: Sequence[Sequence[int]], reply_starts: Sequence[int]) -> int:
    """How many tokens `layout` would put through the model."""
    return len(layout(samples, reply_starts).input_ids)


def tensors(packed: Layout, dtype: "torch.dtype") -> dict[str, "torch.Tensor"]:
    """The row as a causal model takes it.

    Returns:
        `input_ids` and `position_ids` (1, N), an additive `attention_mask` (1, 1, N, N) of `dtype`,
        `labels` (1, N), aligned so that position i holds what token i is to predict, `owners` (N)
        and `ends` (S).
    """
    import torch

    size = len(packed.input_ids)
    mask = torch.full((size, size), torch.finfo(dtype).min, dtype=dtype)
    for *shared, (first, last) in packed.runs:
        for start, stop in shared:
            mask[first:last, start:stop] = 0
        mask[first:last, first:last].triu_(1)
    return {
        "input_ids": torch.tensor([packed.input_ids]),
        "position_ids": torch.tensor([packed.positions]),
        "attention_mask": mask[None, None],
        "labels": torch.tensor([packed.targets]),
        "owners": torch.tensor(packed.owners),
        "ends": torch.tensor(packed.ends),
    }
