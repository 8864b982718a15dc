"""The exam of a version before and after its training, and the result.

It asks four things, each of the model as it chats, greedily:

- what was taught, in the very words: whether it was learned;
- corrections held out of the training: whether it was understood;
- general prompts that nobody taught (probes), to read side by side, and
- texts that nobody taught: how far the policy drifted from its base on replies of the base itself
  (`core.training.drift`), and the loss on texts by people.

Only questions in the languages taught are asked, and none that was taught is among the general
ones. Every question has an id by its tokens; what a version answered earlier is not asked again.
The exam runs on the model being trained, scheduled beside the chat like the pass itself.

Loss is the mean cross-entropy of the reply tokens, in nats.
"""

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from hashlib import sha256
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from core.training.base_replies import brief_replies
from core.training.drift import drift
from core.training.logprobs import reply_logps
from core.training.micro_batches import evaluation_rows
from core.training.run_control import RunControl
from data.tokenization import Sample, stop_ids
from store.records import Sampling

PROBE_TOKENS, LONGEST_REPLY = 96, 192
"""Maximum tokens in a reply; the second one where the reply wanted is as long as the first. A
longer reply counts as cut off."""
HOLDOUT_REPLIES = 32
"""Held-out corrections that are answered; the loss covers all of them."""
TAUGHT_REPLIES = 16
"""Taught prompts that are asked; of more, a sample."""
SHORT_WORDS = 8
"""Words (or Chinese characters) up to which a taught reply may stand inside a longer one."""
_GREEDY = Sampling(temperature=0, repetition_penalty=1.1)


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Answer(_Kept):
    id: str = ""
    """Fingerprint of the question; empty in older reports."""
    prompt: str
    reply: str
    ended: bool
    """Whether the reply ended by itself, instead of being cut off."""
    wanted: str = ""
    """The taught or held-out reply; for a probe, right answers separated by `|`, if it has any."""
    language: str = ""
    """Language of the prompt."""
    declines: bool = False
    """The prompt is one that a model should decline."""

    @property
    def learned(self) -> bool:
        """Whether the reply is the one wanted; see `learned`."""
        return learned(self.reply, self.wanted, cut_off=not self.ended)

    @property
    def right(self) -> bool | None:
        """Whether a probe's reply contains a right answer; None if it has none to check."""
        if not self.wanted:
            return None
        return any(answer in _plain(self.reply) for answer in _plain(self.wanted).split("|"))


class TextFigure(_Kept):
    """What was measured on one text, in nats a token."""

    id: str
    language: str
    nats: float


class Figures(_Kept):
    """One version's result in the exam."""

    taught: tuple[Answer, ...] = ()
    """Newest first."""
    holdout: tuple[Answer, ...] = ()
    holdout_loss: float | None = None
    """Mean loss per token of all held-out replies."""
    holdout_losses: tuple[float, ...] = ()
    """Mean loss per token of each held-out reply, to tell a rise from chance."""
    probes: tuple[Answer, ...] = ()
    drifts: tuple[TextFigure, ...] = ()
    """Divergence from the base on each of the base's own replies."""
    losses: tuple[TextFigure, ...] = ()
    """Loss on each text by people."""
    probe_loss: float | None = None
    """Loss on the texts by people, in reports of older versions."""

    def probes_in(self, languages: Collection[str]) -> tuple[Answer, ...]:
        """Return the probes in `languages`; all probes if there are none in them."""
        found = tuple(answer for answer in self.probes if answer.language in languages)
        return found or self.probes

    @property
    def drift(self) -> float | None:
        """Mean divergence from the base, in nats a token; None if it was not measured."""
        return fmean(text.nats for text in self.drifts) if self.drifts else None

    @property
    def exact(self) -> float | None:
        """Share of held-out prompts answered exactly with the correction; None without any."""
        if not self.holdout:
            return None
        return fmean(map(is_exact, self.holdout))

    @property
    def similarity(self) -> float | None:
        """Mean similarity (Ratcliff–Obershelp, 0 to 1) of replies to the held-out corrections."""
        return fmean(map(similarity, self.holdout)) if self.holdout else None

    def with_items_of(self, earlier: "Figures") -> "Figures":
        """Return these figures with the probes and texts that only `earlier` has."""
        return self.model_copy(
            update={
                "probes": _united(self.probes, earlier.probes),
                "drifts": _united(self.drifts, earlier.drifts),
                "losses": _united(self.losses, earlier.losses),
            }
        )


def learned(reply: str, taught: str, *, cut_off: bool = False) -> bool:
    """Return whether `reply` is the one that was taught.

    It is if both are equal but for case and blanks. A taught reply of at most `SHORT_WORDS` words
    may also stand inside a longer one ("Oslo" in "It is Oslo."). A reply that was cut off need only
    be the beginning of the one taught.
    """
    said, wanted = _plain(reply), _plain(taught)
    if said == wanted or (cut_off and said and wanted.startswith(said)):
        return True
    words = wanted.split() if wanted.isascii() else [*wanted.replace(" ", "")]
    return 0 < len(words) <= SHORT_WORDS and wanted in said


def is_exact(answer: Answer) -> bool:
    """Return whether a held-out prompt is answered exactly with its correction."""
    return answer.reply.strip() == answer.wanted.strip()


def similarity(answer: Answer) -> float:
    """Return how similar (Ratcliff–Obershelp, 0 to 1) a reply is to the one wanted."""
    return SequenceMatcher(None, answer.reply, answer.wanted, autojunk=False).ratio()


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


@dataclass(frozen=True)
class ExamQuestion:
    text: str
    """The prompt as the user reads it."""
    prompt: tuple[int, ...]
    """The prompt as token ids."""
    wanted: str = ""
    """As in `Answer`."""
    sample: Sample | None = None
    """The prompt with the taught or held-out reply."""
    language: str = ""
    original: str = ""
    """The reply that the user corrected, if it is known: the answer before the training."""
    declines: bool = False

    @cached_property
    def id(self) -> str:
        return _id(self.prompt, self.tokens)

    @property
    def tokens(self) -> int:
        """Maximum tokens of the reply."""
        longest = _reply_tokens(self.sample) if self.sample else 0
        return PROBE_TOKENS if longest < PROBE_TOKENS else LONGEST_REPLY

    def answered(self, reply: str, ended: bool) -> Answer:
        return Answer(
            id=self.id,
            prompt=self.text,
            reply=reply,
            ended=ended,
            wanted=self.wanted,
            language=self.language,
            declines=self.declines,
        )


@dataclass(frozen=True)
class ExamText:
    """A text by people."""

    sample: Sample
    language: str = ""

    @cached_property
    def id(self) -> str:
        return _id(self.sample.input_ids)


@dataclass(frozen=True)
class Exam:
    tokenizer: Any
    probes: tuple[ExamQuestion, ...]
    general: tuple[ExamQuestion, ...] = ()
    """Prompts on whose replies by the base the drift is measured."""
    texts: tuple[ExamText, ...] = ()
    held_out: tuple[ExamQuestion, ...] = ()
    taught: tuple[ExamQuestion, ...] = ()
    directory: Path = field(default_factory=Path)
    """The folder of all versions, where the base's own replies are kept."""


class Examiner:
    """Gives one exam before and after a training.

    Args:
        base: What the base was found to answer earlier.
        parent: The same of the version that training starts from; None if that is the base.
        from_base: Training starts from the base.
    """

    def __init__(
        self,
        exam: Exam,
        run_control: RunControl,
        base: Figures | None = None,
        parent: Figures | None = None,
        *,
        from_base: bool = True,
    ) -> None:
        self._exam = exam
        self._run_control = run_control
        self._base = base or Figures()
        self._parent = parent or Figures()
        self._from_base = from_base

    @property
    def held_out(self) -> tuple[Sample, ...]:
        return tuple(q.sample for q in self._exam.held_out if q.sample is not None)

    def before(self, model: Any) -> Figures:
        """Return the figures of the version that training starts from."""
        if not self._from_base:
            return self._sit(model, self._parent, before=True)
        at_rest = tuple(
            TextFigure(id=q.id, language=q.language, nats=0.0) for q in self._exam.general
        )
        known = self._base.model_copy(update={"drifts": at_rest})
        with model.disable_adapter():
            self._base = self._sit(model, known, before=True)
        return self._base

    def base(self, model: Any) -> Figures:
        """Return what the base answers to the probes."""
        with model.disable_adapter():
            return Figures(probes=self._replies(model, self._exam.probes, self._base.probes))

    def after(self, model: Any) -> Figures:
        """Return the figures of the trained version."""
        return self._sit(model, Figures())

    def _sit(self, model: Any, known: Figures, *, before: bool = False) -> Figures:
        exam, held_samples = self._exam, self.held_out
        held_out = exam.held_out[:HOLDOUT_REPLIES]
        answers = [*known.taught, *known.holdout, *known.probes]
        if before:
            answers += [q.answered(q.original, True) for q in exam.taught if q.original]
        replies = self._replies(model, (*exam.taught, *held_out, *exam.probes), answers)
        nats = _nats(model, held_samples, self._run_control)
        return Figures(
            taught=replies[: len(exam.taught)],
            holdout=replies[len(exam.taught) : len(exam.taught) + len(held_out)],
            probes=replies[len(exam.taught) + len(held_out) :],
            holdout_loss=_mean(held_samples, nats),
            holdout_losses=_per_token(held_samples, nats),
            drifts=self._drifts(model, known.drifts),
            losses=self._losses(model, known.losses),
        )

    def _replies(
        self, model: Any, questions: Sequence[ExamQuestion], known: Iterable[Answer]
    ) -> tuple[Answer, ...]:
        answers = {answer.id: answer for answer in known}
        for tokens in sorted({question.tokens for question in questions}):
            asked = [q for q in questions if q.tokens == tokens and q.id not in answers]
            found = _ask(self._exam.tokenizer, model, asked, tokens, self._run_control)
            answers |= {answer.id: answer for answer in found}
        return tuple(q.answered(answers[q.id].reply, answers[q.id].ended) for q in questions)

    def _drifts(self, model: Any, known: Sequence[TextFigure]) -> tuple[TextFigure, ...]:
        exam, run_control = self._exam, self._run_control
        found = {text.id: text for text in known}
        if any(question.id not in found for question in exam.general):
            prompts = [question.prompt for question in exam.general]
            brief = brief_replies(model, exam.tokenizer, prompts, exam.directory, run_control)
            replies = {q: reply for q, reply in zip(exam.general, brief, strict=True) if reply}
            nats = drift(model, list(replies.values()), run_control)
            for question, one in zip(replies, nats, strict=True):
                found[question.id] = TextFigure(
                    id=question.id, language=question.language, nats=one
                )
        return tuple(found[q.id] for q in exam.general if q.id in found)

    def _losses(self, model: Any, known: Sequence[TextFigure]) -> tuple[TextFigure, ...]:
        found = {text.id: text for text in known}
        read = [text for text in self._exam.texts if text.id not in found]
        samples = [text.sample for text in read]
        losses = _per_token(samples, _nats(model, samples, self._run_control))
        for text, loss in zip(read, losses, strict=True):
            found[text.id] = TextFigure(id=text.id, language=text.language, nats=loss)
        return tuple(found[text.id] for text in self._exam.texts)


def mean_loss(model: Any, samples: Sequence[Sample], run_control: RunControl) -> float | None:
    """Return the mean cross-entropy of the reply tokens, in nats; None without samples."""
    return _mean(samples, _nats(model, samples, run_control))


def _nats(model: Any, samples: Sequence[Sample], run_control: RunControl) -> list[float]:
    """Return the negative log-likelihood of each reply."""
    rows = reply_logps(model, evaluation_rows(samples), run_control)
    return [-logp for row in rows for logp in row]


def _mean(samples: Sequence[Sample], nats: Sequence[float]) -> float | None:
    return sum(nats) / sum(map(_reply_tokens, samples)) if samples else None


def _per_token(samples: Sequence[Sample], nats: Sequence[float]) -> tuple[float, ...]:
    return tuple(n / _reply_tokens(sample) for sample, n in zip(samples, nats, strict=True))


def _reply_tokens(sample: Sample) -> int:
    return len(sample.input_ids) - sample.reply_start


def _ask(
    tokenizer: Any,
    model: Any,
    questions: Sequence[ExamQuestion],
    max_new_tokens: int,
    run_control: RunControl,
) -> list[Answer]:
    """Return the greedy replies of `model`."""
    if not questions:
        return []
    from core.serving.batch_generation import generate_batch
    from core.serving.detokenizer import decode
    from core.serving.sampling import Sampler
    from core.serving.transformers_decoder import prefill_batch

    training = model.training
    model.eval()
    stop = stop_ids(tokenizer)
    replies = generate_batch(
        functools.partial(prefill_batch, model),
        [question.prompt for question in questions],
        functools.partial(Sampler, _GREEDY, 0),
        stop,
        max_new_tokens,
        slot=lambda: run_control.scheduler.micro_batch(run_control.cancelled),
    )
    model.train(training)
    return [
        question.answered(decode(tokenizer, reply), ended=reply[-1] in stop)
        for question, reply in zip(questions, replies, strict=True)
    ]


def _id(*tokens: object) -> str:
    return sha256(repr(tokens).encode()).hexdigest()[:12]


_Item = TypeVar("_Item", Answer, TextFigure)


def _united(items: Sequence[_Item], earlier: Sequence[_Item]) -> tuple[_Item, ...]:
    there: set[str] = {item.id for item in items}
    return tuple(chain(items, (item for item in earlier if item.id and item.id not in there)))
