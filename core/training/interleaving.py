"""The order in which KTO sees its replies: both labels spread evenly, drawn anew in each epoch.

TRL's KTO trainer reads its data in the given order, so labels that come in blocks make steps with
one label only. Here each window of replies, a micro-batch or a whole step, holds both labels
wherever there are enough of the rarer one; which replies meet is random.
"""

import random
from collections.abc import Iterator, Sequence


def interleaved(labels: Sequence[bool], seed: int, epoch: int) -> list[int]:
    """Return the indices of `labels` in the order of one epoch.

    With m of n labels true, each k in a row have k · m / n of them, rounded down or up.
    """
    draw = random.Random(f"{seed}/{epoch}")
    ordered = (
        [index for index, label in enumerate(labels) if label],
        [index for index, label in enumerate(labels) if not label],
    )
    rarer, other = sorted(ordered, key=len)
    draw.shuffle(rarer)
    draw.shuffle(other)
    offset = draw.randrange(max(len(labels), 1))
    places = {(k * len(labels) + offset) // len(rarer) for k in range(len(rarer))}
    rarer_left, other_left = iter(rarer), iter(other)
    return [next(rarer_left if i in places else other_left) for i in range(len(labels))]


class InterleavedSampler:
    """Sampler of a data loader; the trainer calls `set_epoch`, also when it resumes."""

    def __init__(self, labels: Sequence[bool], seed: int) -> None:
        self._labels = labels
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._labels)

    def __iter__(self) -> Iterator[int]:
        return iter(interleaved(self._labels, self._seed, self._epoch))
