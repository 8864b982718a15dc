"""What a version is asked before and after its training, and what it answered.

Three things, each the same for every version so that they can be compared: fixed prompts whose
replies a person can read side by side (probes), fixed texts whose loss tells whether the model has
forgotten how to write (the reference), and corrections that were held out of the training. All of
it runs in the training tree, in the pass's own turns beside the chat.

Loss is the mean cross-entropy of the reply's tokens, in nats. Replies are greedy, so that they
differ only where the models do.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.passes.logps import measure
from core.passes.watch import Watch
from data.masks import Sample, stop_ids
from store.records import Sampling

PROBE_TOKENS = 160
"""Tokens a probe's reply may have; one that is longer has not ended by itself."""
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


class Figures(_Kept):
    """One version's answers."""

    probes: tuple[Answer, ...] = ()
    probe_loss: float | None = None
    """On the reference texts."""
    holdout: tuple[Answer, ...] = ()
    holdout_loss: float | None = None

    @property
    def ended(self) -> float:
        """Share of the probes' replies that ended by themselves."""
        return fmean(answer.ended for answer in self.probes) if self.probes else 1.0

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


@dataclass(frozen=True)
class Exam:
    """What is asked."""

    tokenizer: Any
    probes: tuple[Question, ...]
    reference: tuple[Sample, ...]
    held_out: tuple[Question, ...] = ()


def sit(exam: Exam, model: Any, watch: Watch, known: Figures | None = None) -> Figures:
    """Ask `model` everything.

    Args:
        known: What the same weights answered before: its probes and their loss are taken over.

    Raises:
        Cancelled: `watch` was cancelled.
    """
    held_samples = [q.sample for q in exam.held_out if q.sample is not None]
    return Figures(
        probes=known.probes if known else _answers(exam, model, exam.probes, watch),
        probe_loss=known.probe_loss if known else loss(model, exam.reference, watch),
        holdout=_answers(exam, model, exam.held_out, watch),
        holdout_loss=loss(model, held_samples, watch),
    )


def loss(model: Any, samples: Sequence[Sample], watch: Watch) -> float | None:
    """Mean cross-entropy of the replies' tokens; None where there are no samples."""
    if not samples:
        return None
    logps = measure(model, _rows(samples), watch)
    tokens = sum(len(sample.input_ids) - sample.reply_start for sample in samples)
    return -sum(map(sum, logps)) / tokens


def _answers(
    exam: Exam, model: Any, questions: Sequence[Question], watch: Watch
) -> tuple[Answer, ...]:
    if not questions:
        return ()
    from core.decoding import decode_together
    from core.sampling import Sampler
    from core.text_stream import decode

    training = model.training
    model.eval()
    stop = stop_ids(exam.tokenizer)
    replies = decode_together(
        model,
        [question.prompt for question in questions],
        functools.partial(Sampler, _GREEDY, 0),
        stop,
        PROBE_TOKENS,
        turn=lambda: watch.turns.micro_batch(watch.cancelled),
    )
    model.train(training)
    return tuple(
        Answer(
            prompt=question.text,
            reply=decode(exam.tokenizer, reply),
            ended=reply[-1] in stop,
            wanted=question.wanted,
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
