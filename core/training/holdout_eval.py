"""What is lost on held-out records while a pass goes on: a curve beside that of the loss.

A few looks between two steps, at most a tenth of what the training computes: fewer where many
records are held out, and those at the front of them only where even that is too much. A look draws
no random number and changes nothing, so the run learns the same with it and without it.

Left out on purpose: stopping where the curve turns. It is told by a handful of records; the exam
behind the pass judges what was learned.
"""

from collections.abc import Sequence
from typing import Any

from core.events import HoldoutReport
from core.training.exam import loss
from core.training.run_control import RunControl
from data.tokenization import Sample

LOOKS, _LEAST = 8, 3
"""Looks at most, and those for which records are rather left out."""
_SHARE = 0.1
_COST = 1 / 3
"""Of a token that is only read, against one that is learned from: forward of forward and back."""


class HeldOut:
    """The held-out records of one pass.

    Args:
        samples: All of them.
        tokens: What the whole pass learns from, each time it sees it.
        steps: Its optimiser steps.
    """

    def __init__(
        self, samples: Sequence[Sample], tokens: int, steps: int, run_control: RunControl
    ) -> None:
        room = tokens * _SHARE / _COST
        self._samples = list(_within(samples, room / _LEAST))
        size = sum(len(sample.input_ids) for sample in self._samples)
        looks = min(int(room / size), LOOKS) if size else 0
        self._every = max(-(-steps // looks), 1) if looks else 0
        self._steps = steps
        self._run_control = run_control

    def look(self, model: Any, step: int) -> None:
        """Tell the loss of `model` after `step` steps, if it is time.

        Raises:
            Cancelled: `run_control` was cancelled.
        """
        if self._every and step % self._every == 0:
            found = loss(model, self._samples, self._run_control)
            if found is not None:
                self._run_control.emit(HoldoutReport("sft", step, self._steps, found))


def _within(samples: Sequence[Sample], tokens: float) -> Sequence[Sample]:
    """As many of the first samples as have `tokens` together."""
    for place, sample in enumerate(samples):
        tokens -= len(sample.input_ids)
        if tokens < 0:
            return samples[:place]
    return samples
