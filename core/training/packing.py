"""Pack samples into one row, with every shared prefix computed once.

Samples from chats share long prefixes: the system prompt, earlier messages, a repeated instruction;
both sides of a preference pair share their whole prompt. A causal model gives a token the same
hidden state wherever its past is the same, so such a prefix needs to go through the model only
once. `layout` arranges the samples as a prefix tree in one row: each token attends to its path back
to the root, and its position is its depth. Loss and gradients equal those of the padded batch up to
rounding, with no padding and fewer tokens.

Only prompt tokens are shared, and never the last one before a reply: from there on each sample
predicts its own tokens.

This is the tree attention of speculative decoding (SpecInfer, Miao et al., arXiv 2305.09781),
applied to training. Left out on purpose: models whose attention is limited to a sliding window
shorter than a sample, because this mask overrides the window; callers keep samples below it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""Label of a token without loss; the `ignore_index` of torch's cross-entropy."""

INPUTS = ("input_ids", "position_ids", "attention_mask")
"""Those of `tensors` that a model takes."""

Run = tuple[int, int]
"""Consecutive tokens: index of the first, and one past the last."""


@dataclass(frozen=True)
class Layout:
    """A packed row as plain numbers, `N` tokens of `S` samples."""

    input_ids: list[int]
    """(N)"""
    positions: list[int]
    """(N) index of each token in its own sample."""
    targets: list[int]
    """(N) token that each position is trained to predict, or `IGNORED`."""
    owners: list[int]
    """(N) sample each token belongs to; for a shared token, one of those that share it."""
    ends: list[int]
    """(S) index of each sample's last token, in the order of the samples."""
    runs: list[list[Run]]
    """(S) tokens of each sample, in layout order: the last run is its own, the others are prefixes
    that it shares with samples before it."""


def layout(samples: Sequence[Sequence[int]], reply_starts: Sequence[int]) -> Layout:
    """Arrange `samples` as a prefix tree in one row.

    Args:
        samples: Token ids, one sequence per sample.
        reply_starts: Index of each sample's first reply token; it and all after it carry loss.
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
    # In sorted order, each sample shares its longest prefix with its neighbor.
    for index in sorted(range(len(samples)), key=lambda i: tuple(samples[i])):
        ids, start = samples[index], reply_starts[index]
        limit = min(shareable, start - 1, len(previous), len(ids))
        shared = next((i for i in range(limit) if ids[i] != previous[i]), max(limit, 0))
        first, new = len(input_ids), range(shared, len(ids))
        runs = [*_prefix(runs, shared), (first, first + len(new))]
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


def _prefix(runs: Sequence[Run], count: int) -> Iterator[Run]:
    """Yield the runs of the first `count` tokens."""
    for start, stop in runs:
        if count <= 0:
            return
        yield start, min(stop, start + count)
        count -= stop - start


def packed_length(samples: Sequence[Sequence[int]], reply_starts: Sequence[int]) -> int:
    """Return the number of tokens in the `layout` of `samples`."""
    return len(layout(samples, reply_starts).input_ids)


def tensors(packed: Layout, dtype: "torch.dtype") -> dict[str, "torch.Tensor"]:
    """Return the row as input of a causal model.

    Returns:
        `input_ids` and `position_ids` (1, N), an additive `attention_mask` (1, 1, N, N) of `dtype`,
        `labels` (1, N), where position i holds the token to predict after token i, `owners` (N) and
        `ends` (S).
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
