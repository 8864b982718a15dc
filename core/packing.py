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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""The label of a token that carries no loss; cross-entropy's own convention."""


@dataclass(frozen=True)
class Layout:
    """A packed row as plain numbers, `N` tokens of `S` samples."""

    input_ids: list[int]
    """(N)"""
    positions: list[int]
    """(N) each token's place in its own sample."""
    paths: list[list[int]]
    """(N) the indices a token attends to, itself last."""
    targets: list[int]
    """(N) the token each one is trained to predict, or `IGNORED`."""
    owners: list[int]
    """(N) the sample whose token it is; of a shared one, any of those that share it."""
    ends: list[int]
    """(S) index of each sample's last token, in the order the samples were given."""


def layout(samples: Sequence[Sequence[int]], reply_starts: Sequence[int]) -> Layout:
    """Lay `samples` out as a prefix tree.

    Args:
        samples: Token ids, one sequence a sample.
        reply_starts: Index of each sample's first reply token; loss is on it and all after it.
    """
    input_ids: list[int] = []
    positions: list[int] = []
    paths: list[list[int]] = []
    targets: list[int] = []
    owners: list[int] = []
    ends = [0] * len(samples)
    path: list[int] = []
    previous: Sequence[int] = ()
    shareable = 0
    # In sorted order each sample's longest shared beginning is the one it has with its neighbour.
    for index in sorted(range(len(samples)), key=lambda i: tuple(samples[i])):
        ids, start = samples[index], reply_starts[index]
        limit = min(shareable, start - 1, len(previous), len(ids))
        shared = next((i for i in range(limit) if ids[i] != previous[i]), max(limit, 0))
        path = path[:shared]
        for position in range(shared, len(ids)):
            path = [*path, len(input_ids)]
            input_ids.append(ids[position])
            positions.append(position)
            paths.append(path)
            following = position + 1
            targets.append(ids[following] if start <= following < len(ids) else IGNORED)
            owners.append(index)
        ends[index] = path[-1]
        previous, shareable = ids, start - 1
    return Layout(input_ids, positions, paths, targets, owners, ends)


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
    for row, path in enumerate(packed.paths):
        mask[row, path] = 0
    return {
        "input_ids": torch.tensor([packed.input_ids]),
        "position_ids": torch.tensor([packed.positions]),
        "attention_mask": mask[None, None],
        "labels": torch.tensor([packed.targets]),
        "owners": torch.tensor(packed.owners),
        "ends": torch.tensor(packed.ends),
    }
