"""When SFT has learned what it was given, and how the learning rate follows from that.

A fixed number of steps is too few for one lesson and too many for another: eight facts want more
passes over them than two hundred reviews, and every step past the goal moves the model for nothing.
So each sample is judged where its loss is computed anyway. It is learned if greedy decoding would
repeat its reply: each token is the likeliest one, and likely enough that a repetition penalty or
another wording does not tip it over. Once all samples are, the learning rate falls to zero and the
pass ends: warm-up, stable, decay (WSD; Hu et al., arXiv 2404.06395), with a decay that begins when
it is time. A pass that never gets there decays over the last quarter of its steps.

Left out on purpose: stopping on a held-out loss. It would rest on a handful of records; the exam
after the pass judges them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

LEARNED_LOSS = 0.05
"""Mean nats a token below which a reply counts as learned, if no token is wrong."""
DECAY = 1 / 4
"""Share of the steps in which the rate falls."""
LEAST = 24
"""Steps at the full rate at least, if there are as many. A form is repeated by heart before it is
understood, and the rehearsal needs steps, too."""
SCHEDULE = "warmup_stable_decay"
"""What transformers calls such a schedule, in a recipe whose steps are fixed."""


@dataclass
class Learning:
    """What a pass has learned so far, and its learning rate.

    Args:
        samples: Number of samples.
        most: Maximum number of optimizer steps.
        warm_up: Share of `most` in which the learning rate rises; a number of steps from 1 on.
    """

    samples: int
    most: int
    warm_up: float = 0.1
    learned: set[int] = field(default_factory=set)
    """Indices of the samples that were learned when they were last seen."""
    _decays_from: int | None = field(default=None, init=False)

    def note(self, indices: Sequence[int], losses: Sequence[float], wrong: Sequence[float]) -> None:
        """Take note of one micro-batch.

        Args:
            losses: Of each sample, the mean loss of its reply tokens, in nats.
            wrong: Of each sample, the number of reply tokens that were not the likeliest ones.
        """
        for index, loss, missed in zip(indices, losses, wrong, strict=True):
            if loss < LEARNED_LOSS and not missed:
                self.learned.add(index)
            else:
                self.learned.discard(index)

    def after(self, step: int) -> None:
        """Decide, once `step` optimizer steps are complete, whether it is time to decay."""
        if self._decays_from is None and step >= LEAST and len(self.learned) == self.samples:
            self._decays_from = min(step, self._latest_decay)

    @property
    def _latest_decay(self) -> int:
        return self.most - int(self.most * DECAY)

    @property
    def steps(self) -> int:
        """The number of optimizer steps, as far as is known now."""
        if self._decays_from is None:
            return self.most
        # So that the decay is the same share of a short pass as of a long one.
        decay = max(round(self._decays_from * DECAY / (1 - DECAY)), 1)
        return min(self._decays_from + decay, self.most)

    def rate(self, step: int) -> float:
        """Return the factor of the learning rate in optimizer step `step`, counted from 0."""
        warm_up = self.warm_up if self.warm_up >= 1 else round(self.most * self.warm_up)
        if step < warm_up:
            return (step + 1) / warm_up
        start = self._latest_decay if self._decays_from is None else self._decays_from
        if step <= start:
            return 1.0
        return max(self.steps - step, 0) / max(self.steps - start, 1)

    def state(self) -> dict[str, Any]:
        """Return the state between two steps, as JSON."""
        return {"learned": sorted(self.learned), "decays_from": self._decays_from}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state`; of a checkpoint without one, knowing nothing."""
        self.learned = set(state.get("learned", ()))
        self._decays_from = state.get("decays_from")
