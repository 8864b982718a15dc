"""Rehearsal: keep a few lessons from changing all other replies, too.

A handful of one-word corrections can make a small model answer everything with one word. So each
optimizer step also runs the policy on a few of the base's own replies to general prompts, and pulls
it back towards the base: the gradient of KL(base ‖ policy) of the next-token distributions,
averaged over the reply tokens, is added. This is the distillation term of Learning without
Forgetting (Li & Hoiem, arXiv 1606.09282) on replies that the model itself gave, as in
self-synthesized rehearsal (Huang et al., arXiv 2403.01244). It is zero while the policy agrees with
the base. On texts that people wrote it keeps less: their style is one the base never had.

Only brief replies are rehearsed (`core.training.base_replies.brief_replies`). With the longer ones,
a manner that is taught for everything, such as a sign-off, would not spread beyond the prompts it
was taught with.

The base's predictions are computed once. Of each distribution only the likeliest tokens are kept,
and all others count as one: thousands of numbers per text instead of millions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from core.training.base_replies import TOKENS, brief_replies
from core.training.logprobs import ReplyLogits, reply_logits
from core.training.micro_batches import evaluation_rows, packed_row
from core.training.packing import packed_length
from core.training.run_control import RunControl
from data.tokenization import Sample

TEXTS_PER_STEP = 6
"""With what they share read once, about as many tokens as a step of short corrections has."""
_LIKELIEST = 64
_FLOOR = 1e-6
"""Smallest probability used in a logarithm."""


class _Prediction(NamedTuple):
    """Prediction of the base at each of the T reply tokens of one text."""

    tokens: Any
    """(T, `_LIKELIEST`) ids of the likeliest tokens."""
    probabilities: Any
    """(T, `_LIKELIEST`)"""


@dataclass(frozen=True)
class RehearsalPlan:
    """What to rehearse: it becomes a `Rehearsal` once the pass has loaded its model."""

    prompts: tuple[tuple[int, ...], ...]
    """Token ids of general prompts that nobody taught."""
    weight: float
    """Weight of the divergence in the loss of the pass."""
    tokenizer: Any
    directory: Path
    """The folder of the base's versions, where its replies are kept."""
    examined: tuple[tuple[int, ...], ...] = ()
    """Token ids of the prompts on whose replies the exam measures the drift."""

    @property
    def tokens_per_step(self) -> int:
        """Maximum number of tokens that a step rehearses."""
        longest = sorted(self.prompts, key=len)[-TEXTS_PER_STEP:]
        replied = [(*prompt, *range(-TOKENS, 0)) for prompt in longest]
        return packed_length(replied, [len(prompt) for prompt in longest])

    def begin(self, model: Any, run_control: RunControl) -> "Rehearsal | None":
        """Draw what the base replies, unless that is known; None if there is nothing to rehearse.

        Args:
            model: The policy; disabling its adapter gives the base.

        Raises:
            Cancelled: `run_control` was cancelled.
        """
        if not (self.prompts and self.weight):
            return None
        drawn = brief_replies(
            model, self.tokenizer, self.prompts, self.directory, run_control, self.examined
        )
        samples = [sample for sample in drawn if sample]
        return Rehearsal(model, samples, self.weight, run_control) if samples else None


class Rehearsal:
    """Texts to rehearse, with the predictions of the base on them.

    Args:
        model: The policy; disabling its adapter gives the base.

    Raises:
        Cancelled: `run_control` was cancelled.
    """

    def __init__(
        self, model: Any, samples: Sequence[Sample], weight: float, run_control: RunControl
    ) -> None:
        self._samples = samples
        self.weight = weight
        self._base = _predict(model, samples, run_control)

    def texts(self, step: int) -> list[Sample]:
        """Return the texts of optimizer step `step`."""
        return [self._samples[i] for i in self._indices(step)]

    def divergence(self, replies: ReplyLogits, step: int) -> Any:
        """Return the mean divergence from the base, in nats a token, differentiable.

        Args:
            replies: Logits of the policy on `texts(step)`.
        """
        import torch

        indices = self._indices(step)
        by_sample = replies.owners.argsort(stable=True)
        logps = replies.logits[by_sample].log_softmax(-1)
        tokens = torch.cat([self._base[i].tokens for i in indices])
        wanted = torch.cat([self._base[i].probabilities for i in indices])
        return divergence(wanted, logps.gather(-1, tokens)).mean()

    def _indices(self, step: int) -> list[int]:
        count = len(self._samples)
        return [(step * TEXTS_PER_STEP + i) % count for i in range(min(TEXTS_PER_STEP, count))]


def divergence(wanted: Any, logps: Any) -> Any:
    """Return (T) the KL divergence of two distributions, in nats, from some of their tokens.

    All tokens that are not given count as one.

    Args:
        wanted: (T, K) probabilities of K tokens in the first distribution.
        logps: (T, K) log-probabilities of the same tokens in the second.
    """
    rest_wanted = (1 - wanted.sum(-1)).clamp(min=_FLOOR)
    rest = (1 - logps.exp().sum(-1)).clamp(min=_FLOOR)
    known = (wanted * (wanted.clamp(min=_FLOOR).log() - logps)).sum(-1)
    return known + rest_wanted * (rest_wanted.log() - rest.log())


def _predict(model: Any, samples: Sequence[Sample], run_control: RunControl) -> list[_Prediction]:
    import torch

    training = model.training
    model.eval()
    found = []
    with model.disable_adapter():
        for row in evaluation_rows(samples):
            with run_control.scheduler.micro_batch(run_control.cancelled), torch.no_grad():
                replies = reply_logits(model, packed_row(row, model.dtype))
                top = replies.logits.softmax(-1).topk(min(_LIKELIEST, replies.logits.shape[-1]))
                of_each = (replies.owners == i for i in range(len(row)))
                found += [_Prediction(top.indices[own], top.values[own]) for own in of_each]
    model.train(training)
    return found
