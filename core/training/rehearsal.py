"""Rehearsal: how SFT keeps a few corrections from changing every other reply, too.

Sixteen one-word corrections are enough to make a small model answer everything with one word. So
beside each step of the training, the policy also goes through two short general texts that nobody
taught it anything about, and is pulled back to where the base stands there: the KL divergence of
the base's next-token distribution from the policy's, averaged over the tokens of the replies. It is
the distillation term of Learning without Forgetting (Li & Hoiem, arXiv 1606.09282), with texts in
the place of the old task's data, as in rehearsal by self-synthesised examples (arXiv 2403.01244).
It pulls at nothing as long as the policy agrees with the base.

What the base says is computed once, and of each distribution only the likeliest tokens are kept,
with all others as one: some thousand numbers a text instead of some million.

Left out on purpose: replies that the base writes itself. Drawing them took longer than the whole
training, and kept no more.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from core.training.logprobs import Scores, of_replies
from core.training.micro_batches import packed_row
from core.training.run_control import RunControl
from data.tokenization import Sample

TOGETHER = 2
"""Texts beside an optimiser step: about as many tokens as a step of short corrections has."""
_LIKELIEST = 64
_LEAST = 1e-6
"""Probability below which the rest counts as this much, so that its logarithm is a number."""


class _Standing(NamedTuple):
    """What the base predicts at each of the T reply tokens of one text."""

    tokens: Any
    """(T, `_LIKELIEST`) the likeliest tokens."""
    probabilities: Any
    """(T, `_LIKELIEST`)"""


class Rehearsal:
    """General texts, and where the base stands on them.

    Args:
        model: The policy; its base is asked with the adapter disabled.
        weight: Of the divergence, in the loss of the pass.

    Raises:
        Cancelled: `run_control` was cancelled.
    """

    def __init__(
        self, model: Any, samples: Sequence[Sample], weight: float, run_control: RunControl
    ) -> None:
        self._samples = samples
        self._weight = weight
        self._base = _standing(model, samples, run_control)

    def tokens(self, step: int) -> int:
        """How many tokens the texts of optimiser step `step` have."""
        return sum(len(self._samples[i].input_ids) for i in self._turn(step))

    def loss(self, model: Any, step: int) -> Any:
        """The weighted divergence on the texts of optimiser step `step`, differentiable."""
        import torch

        indices = self._turn(step)
        scores = of_replies(model, packed_row([self._samples[i] for i in indices], model.dtype))
        logps = _by_sample(scores).log_softmax(-1)
        tokens = torch.cat([self._base[i].tokens for i in indices])
        wanted = torch.cat([self._base[i].probabilities for i in indices])
        return self._weight * divergence(wanted, logps.gather(-1, tokens)).mean()

    def _turn(self, step: int) -> list[int]:
        count = len(self._samples)
        return [(step * TOGETHER + i) % count for i in range(min(TOGETHER, count))]


def divergence(wanted: Any, logps: Any) -> Any:
    """(T) KL divergence in nats between distributions of which a part of the tokens is known.

    Args:
        wanted: (T, K) probabilities of K tokens in the first distribution.
        logps: (T, K) log-probabilities of the same tokens in the second.
    """
    rest_wanted = (1 - wanted.sum(-1)).clamp(min=_LEAST)
    rest = (1 - logps.exp().sum(-1)).clamp(min=_LEAST)
    known = (wanted * (wanted.clamp(min=_LEAST).log() - logps)).sum(-1)
    return known + rest_wanted * (rest_wanted.log() - rest.log())


def _standing(model: Any, samples: Sequence[Sample], run_control: RunControl) -> list[_Standing]:
    import torch

    training = model.training
    model.eval()
    found = []
    with model.disable_adapter():
        for sample in samples:
            with run_control.scheduler.micro_batch(run_control.cancelled), torch.no_grad():
                scores = of_replies(model, packed_row([sample], model.dtype))
                top = scores.logits.softmax(-1).topk(min(_LIKELIEST, scores.logits.shape[-1]))
                found.append(_Standing(top.indices, top.values))
    model.train(training)
    return found


def _by_sample(scores: Scores) -> Any:
    """(T, vocabulary) the logits, those of each sample together, in the order of the samples."""
    return scores.logits[scores.owners.argsort(stable=True)]
