"""Loss on held-out records during a pass: a second curve beside the training loss.

A few evaluations between steps cost at most a tenth of the training's compute: fewer of them if
many records are held out, and only the first records if even that is too much. An evaluation draws
no random numbers and changes nothing, so training is the same with and without it.

Left out on purpose: early stopping where the curve turns. It rests on a handful of records; the
exam after the pass judges what was learned.
"""

from collections.abc import Sequence
from typing import Any

from core.events import HoldoutReport
from core.training.exam import mean_loss
from core.training.run_control import RunControl
from data.tokenization import Sample

EVALUATIONS, _FEWEST = 8, 3
"""Maximum number of evaluations, and the number below which records are left out instead."""
_SHARE = 0.1
"""Maximum cost of all evaluations, as a share of the training's."""
_COST = 1 / 3
"""Cost of an evaluated token relative to a trained one: forward, against forward and backward."""


class HoldoutCurve:
    """Evaluates the held-out records of one pass at intervals.

    Args:
        samples: All held-out records.
        tokens: Tokens of the training samples, times epochs.
    """

    def __init__(
        self, samples: Sequence[Sample], tokens: int, steps: int, run_control: RunControl
    ) -> None:
        room = tokens * _SHARE / _COST
        self._samples = list(_within(samples, room / _FEWEST))
        size = sum(len(sample.input_ids) for sample in self._samples)
        evaluations = min(int(room / size), EVALUATIONS) if size else 0
        self._every = max(-(-steps // evaluations), 1) if evaluations else 0
        self._steps = steps
        self._run_control = run_control

    def evaluate(self, model: Any, step: int) -> None:
        """Report the loss of `model` after `step` steps, if an evaluation is due.

        Raises:
            Cancelled: `run_control` was cancelled.
        """
        if self._every and step % self._every == 0:
            found = mean_loss(model, self._samples, self._run_control)
            if found is not None:
                self._run_control.emit(HoldoutReport("sft", step, self._steps, found))


def _within(samples: Sequence[Sample], tokens: float) -> Sequence[Sample]:
    """Return the first samples that have at most `tokens` tokens together."""
    for place, sample in enumerate(samples):
        tokens -= len(sample.input_ids)
        if tokens < 0:
            return samples[:place]
    return samples
