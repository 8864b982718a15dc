"""The exam of a version before and after its training, and the result.

It has three parts, the same for every version so that versions can be compared: fixed prompts whose
replies the user can read side by side (probes), fixed texts whose loss shows whether the model has
forgotten how to write (the reference), and corrections held out of the training. The exam runs on
the model being trained, scheduled beside the chat like the pass itself.

Loss is the mean cross-entropy of the reply tokens, in nats. Replies are greedy, so that they differ
only where the models do.
"""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from hashlib import sha256
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.training.logprobs import reply_logps
from core.training.run_control import RunControl
from data.tokenization import Sample, stop_ids
from store.records import Sampling

PROBE_TOKENS = 192
"""Maximum tokens in the reply to a probe; a longer one counts as cut off."""
HOLDOUT_REPLIES = 32
"""Held-out corrections that are answered; the loss covers all of them."""
_ROW_TOKENS = 400
"""Tokens in a packed row that is evaluated only: about half a second on two cores."""
_GREEDY = Sampling(temperature=0, repetition_penalty=1.1)


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Answer(_Kept):
    prompt: str
    reply: str
    ended: bool
    """Whether the reply ended by itself, instead of being cut off."""
    wanted: str = ""
    """The correction, if the prompt belongs to a held-out one."""
    language: str = ""
    """Language of a probe's prompt."""


class Figures(_Kept):
    """One version's result in the exam."""

    exam: str = ""
    """Fingerprint of the questions; figures of different exams are not compared."""
    probes: tuple[Answer, ...] = ()
    probe_loss: float | None = None
    """Loss on the reference texts."""
    holdout: tuple[Answer, ...] = ()
    holdout_loss: float | None = None
    holdout_losses: tuple[float, ...] = ()
    """Mean loss per token of each held-out reply, to tell a rise from chance."""

    def probes_in(self, languages: Collection[str]) -> tuple[Answer, ...]:
        """Return the probes in `languages`; all probes if there are none in them."""
        found = tuple(answer for answer in self.probes if answer.language in languages)
        return found or self.probes

    @property
    def exact(self) -> float | None:
        """Share of held-out prompts answered exactly with the correction; None without any."""
        if not self.holdout:
            return None
        return fmean(a.reply.strip() == a.wanted.strip() for a in self.holdout)

    @property
    def similarity(self) -> float | None:
        """Mean similarity (Ratcliff–Obershelp, 0 to 1) of replies to the held-out corrections."""
        if not self.holdout:
            return None
        return fmean(
            SequenceMatcher(None, a.reply, a.wanted, autojunk=False).ratio() for a in self.holdout
        )


@dataclass(frozen=True)
class ExamQuestion:
    text: str
    """The prompt as the user reads it."""
    prompt: tuple[int, ...]
    """The prompt as token ids."""
    wanted: str = ""
    sample: Sample | None = None
    """The prompt with the held-out reply."""
    language: str = ""


@dataclass(frozen=True)
class Exam:
    tokenizer: Any
    probes: tuple[ExamQuestion, ...]
    reference: tuple[Sample, ...]
    held_out: tuple[ExamQuestion, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the token ids of probes and reference texts."""
        asked = ([q.prompt for q in self.probes], [s.input_ids for s in self.reference])
        return sha256(repr(asked).encode()).hexdigest()


class Examiner:
    """Gives one exam before and after a training.

    Args:
        known: Figures kept from before; reused if the exam is still the same, except for the
            held-out corrections, which change.
    """

    def __init__(self, exam: Exam, run_control: RunControl, known: Figures | None = None) -> None:
        self._exam = exam
        self._run_control = run_control
        self._known = known if known and known.exam == exam.fingerprint else None

    @property
    def held_out(self) -> tuple[Sample, ...]:
        return tuple(q.sample for q in self._exam.held_out if q.sample is not None)

    def before(self, model: Any) -> Figures:
        return self._sit(model, self._known)

    def after(self, model: Any) -> Figures:
        return self._sit(model, None)

    def _sit(self, model: Any, known: Figures | None) -> Figures:
        exam, run_control, held_samples = self._exam, self._run_control, self.held_out
        return Figures(
            exam=exam.fingerprint,
            probes=known.probes if known else _answers(exam, model, exam.probes, run_control),
            probe_loss=known.probe_loss if known else mean_loss(model, exam.reference, run_control),
            holdout=_answers(exam, model, exam.held_out[:HOLDOUT_REPLIES], run_control),
            holdout_loss=_mean(held_samples, nats := _nats(model, held_samples, run_control)),
            holdout_losses=tuple(
                of_one / _reply_tokens(sample)
                for of_one, sample in zip(nats, held_samples, strict=True)
            ),
        )


def mean_loss(model: Any, samples: Sequence[Sample], run_control: RunControl) -> float | None:
    """Return the mean cross-entropy of the reply tokens, in nats; None without samples."""
    return _mean(samples, _nats(model, samples, run_control))


def _nats(model: Any, samples: Sequence[Sample], run_control: RunControl) -> list[float]:
    """Return the negative log-likelihood of each reply."""
    return [-logp for row in reply_logps(model, _rows(samples), run_control) for logp in row]


def _mean(samples: Sequence[Sample], nats: Sequence[float]) -> float | None:
    return sum(nats) / sum(map(_reply_tokens, samples)) if samples else None


def _reply_tokens(sample: Sample) -> int:
    return len(sample.input_ids) - sample.reply_start


def _answers(
    exam: Exam, model: Any, questions: Sequence[ExamQuestion], run_control: RunControl
) -> tuple[Answer, ...]:
    if not questions:
        return ()
    from core.serving.batch_generation import generate_batch
    from core.serving.detokenizer import decode
    from core.serving.sampling import Sampler
    from core.serving.transformers_decoder import prefill_batch

    training = model.training
    model.eval()
    stop = stop_ids(exam.tokenizer)
    replies = generate_batch(
        functools.partial(prefill_batch, model),
        [question.prompt for question in questions],
        functools.partial(Sampler, _GREEDY, 0),
        stop,
        PROBE_TOKENS,
        slot=lambda: run_control.scheduler.micro_batch(run_control.cancelled),
    )
    model.train(training)
    return tuple(
        Answer(
            prompt=question.text,
            reply=decode(exam.tokenizer, reply),
            ended=reply[-1] in stop,
            wanted=question.wanted,
            language=question.language,
        )
        for question, reply in zip(questions, replies, strict=True)
    )


def _rows(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Split samples into rows of a bounded number of tokens."""
    rows: list[list[Sample]] = []
    room = 0
    for sample in samples:
        if len(sample.input_ids) > room:
            rows.append([])
            room = _ROW_TOKENS
        rows[-1].append(sample)
        room -= len(sample.input_ids)
    return rows
