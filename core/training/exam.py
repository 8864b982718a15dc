"""What a version is asked before and after its training, and what it answered.

Three things, each the same for every version so that they can be compared: fixed prompts whose
replies a person can read side by side (probes), fixed texts whose loss tells whether the model has
forgotten how to write (the reference), and corrections that were held out of the training. All of
it runs in the training tree, in the pass's own turns beside the chat.

Loss is the mean cross-entropy of the reply's tokens, in nats. Replies are greedy, so that they
differ only where the models do.
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

from core.training.logprobs import measure
from core.training.run_control import RunControl
from data.tokenization import Sample, stop_ids
from store.records import Sampling

PROBE_TOKENS = 192
"""Tokens a probe's reply may have; one that is longer has not ended by itself."""
HOLDOUT_REPLIES = 32
"""Held-out corrections that are answered; the loss is of all of them."""
_ROW_TOKENS = 400
"""Tokens of a packed row that is only measured, about half a second on two cores."""
_GREEDY = Sampling(temperature=0, repetition_penalty=1.1)


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Answer(_Kept):
    """A reply to one prompt of the exam."""

    prompt: str
    reply: str
    ended: bool
    """By itself, not cut off."""
    wanted: str = ""
    """The correction, where the prompt is of one that was held out."""
    language: str = ""
    """Of a probe's prompt."""


class Figures(_Kept):
    """One version's answers."""

    exam: str = ""
    """Fingerprint of what was asked; figures of different exams are not compared."""

    probes: tuple[Answer, ...] = ()
    probe_loss: float | None = None
    """On the reference texts."""
    holdout: tuple[Answer, ...] = ()
    holdout_loss: float | None = None
    holdout_losses: tuple[float, ...] = ()
    """Of each held-out reply, a token of it, so that a rise can be told from chance."""

    def probes_in(self, languages: Collection[str]) -> tuple[Answer, ...]:
        """The probes in some languages; all of them where none is."""
        found = tuple(answer for answer in self.probes if answer.language in languages)
        return found or self.probes

    @property
    def exact(self) -> float | None:
        """Share of the held-out corrections whose reply is exactly the correction."""
        if not self.holdout:
            return None
        return fmean(a.reply.strip() == a.wanted.strip() for a in self.holdout)

    @property
    def similarity(self) -> float | None:
        """Mean likeness (0 to 1, Ratcliff–Obershelp) of replies and held-out corrections."""
        if not self.holdout:
            return None
        return fmean(
            SequenceMatcher(None, a.reply, a.wanted, autojunk=False).ratio() for a in self.holdout
        )


@dataclass(frozen=True)
class Question:
    text: str
    """As a person reads it."""
    prompt: tuple[int, ...]
    """As the model reads it."""
    wanted: str = ""
    sample: Sample | None = None
    """With the reply that was held out."""
    language: str = ""


@dataclass(frozen=True)
class Exam:
    """What is asked."""

    tokenizer: Any
    probes: tuple[Question, ...]
    reference: tuple[Sample, ...]
    held_out: tuple[Question, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the probes and the reference texts, as the model reads them."""
        asked = ([q.prompt for q in self.probes], [s.input_ids for s in self.reference])
        return sha256(repr(asked).encode()).hexdigest()


class Examiner:
    """Asks one exam before and after a training.

    Args:
        known: What the model answers before, if that was kept; taken over where the exam is still
            the same, apart from the held-out corrections, which change.
    """

    def __init__(self, exam: Exam, run_control: RunControl, known: Figures | None = None) -> None:
        self._exam = exam
        self._run_control = run_control
        self._known = known if known and known.exam == exam.fingerprint else None

    @property
    def held_out(self) -> tuple[Sample, ...]:
        """The records that were held out, with their replies."""
        return tuple(q.sample for q in self._exam.held_out if q.sample is not None)

    def before(self, model: Any) -> Figures:
        return self._sit(model, self._known)

    def after(self, model: Any) -> Figures:
        return self._sit(model, None)

    def _sit(self, model: Any, known: Figures | None) -> Figures:
        exam, run_control = self._exam, self._run_control
        held_samples = self.held_out
        return Figures(
            exam=exam.fingerprint,
            probes=known.probes if known else _answers(exam, model, exam.probes, run_control),
            probe_loss=known.probe_loss if known else loss(model, exam.reference, run_control),
            holdout=_answers(exam, model, exam.held_out[:HOLDOUT_REPLIES], run_control),
            holdout_loss=_mean(held_samples, nats := _nats(model, held_samples, run_control)),
            holdout_losses=tuple(
                of_one / _reply_tokens(sample)
                for of_one, sample in zip(nats, held_samples, strict=True)
            ),
        )


def loss(model: Any, samples: Sequence[Sample], run_control: RunControl) -> float | None:
    """Mean cross-entropy of the replies' tokens; None where there are no samples."""
    return _mean(samples, _nats(model, samples, run_control))


def _nats(model: Any, samples: Sequence[Sample], run_control: RunControl) -> list[float]:
    """What each reply costs, all its tokens together."""
    return [-logp for row in measure(model, _rows(samples), run_control) for logp in row]


def _mean(samples: Sequence[Sample], nats: Sequence[float]) -> float | None:
    return sum(nats) / sum(map(_reply_tokens, samples)) if samples else None


def _reply_tokens(sample: Sample) -> int:
    return len(sample.input_ids) - sample.reply_start


def _answers(
    exam: Exam, model: Any, questions: Sequence[Question], run_control: RunControl
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
    """Samples in rows of a bounded number of tokens."""
    rows: list[list[Sample]] = []
    room = 0
    for sample in samples:
        if len(sample.input_ids) > room:
            rows.append([])
            room = _ROW_TOKENS
        rows[-1].append(sample)
        room -= len(sample.input_ids)
    return rows
