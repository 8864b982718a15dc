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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from hashlib import sha256
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from core.events import Stage, StageReport
from core.training.base_replies import brief_replies
from core.training.drift import drift
from core.training.logprobs import reply_logps
from core.training.micro_batches import evaluation_rows
from core.training.run_control import RunControl
from data.taught_reply import learned, plain
from data.tokenization import Sample, stop_ids
from store.records import Sampling

PROBE_TOKENS, LONGEST_REPLY = 64, 192
"""Maximum tokens in a reply to a probe, and in any reply. A longer reply counts as cut off."""
MARGIN = 24
"""Tokens that a reply may be longer than the one taught: enough to see that it goes on."""
TOGETHER = 32
"""Questions answered side by side: more are no faster on a CPU, and need memory."""
HOLDOUT_REPLIES = 32
"""Held-out corrections that are answered; the loss covers all of them."""
TAUGHT_REPLIES = 16
"""Taught prompts that are asked; of more, a sample."""
_GREEDY = Sampling(temperature=0, repetition_penalty=1.1)
_REMEMBERED = 256
"""Answers kept of earlier exams, the latest first."""


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
        return any(answer in plain(self.reply) for answer in plain(self.wanted).split("|"))


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
    holdout_ids: tuple[str, ...] = ()
    """Of the same replies; empty in older reports."""
    probes: tuple[Answer, ...] = ()
    drifts: tuple[TextFigure, ...] = ()
    """Divergence from the base on each of the base's own replies."""
    losses: tuple[TextFigure, ...] = ()
    """Loss on each text by people."""
    probe_loss: float | None = None
    """Loss on the texts by people, in reports of older versions."""
    key: str = ""
    """As in `Exam`; empty in older reports."""

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
        """Return these figures with the answers and texts that only `earlier` has."""
        return self.model_copy(
            update={
                "taught": _united(self.taught, earlier.taught)[:_REMEMBERED],
                "holdout": _united(self.holdout, earlier.holdout)[:_REMEMBERED],
                "probes": _united(self.probes, earlier.probes),
                "drifts": _united(self.drifts, earlier.drifts),
                "losses": _united(self.losses, earlier.losses),
            }
        )


def is_exact(answer: Answer) -> bool:
    """Return whether a held-out prompt is answered exactly with its correction."""
    return answer.reply.strip() == answer.wanted.strip()


def similarity(answer: Answer) -> float:
    """Return how similar (Ratcliff–Obershelp, 0 to 1) a reply is to the one wanted."""
    return SequenceMatcher(None, answer.reply, answer.wanted, autojunk=False).ratio()


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
        if self.sample is None:
            return PROBE_TOKENS
        return min(_reply_tokens(self.sample) + MARGIN, LONGEST_REPLY)

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
        return _sample_id(self.sample)


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
    key: str = ""
    """What every answer depends on beside its question: the base, and how it is computed. Figures
    with another key are not reused."""


class Examiner:
    """Gives one exam before and after a training.

    Args:
        base: What the base was found to answer earlier.
        parent: The same of the version that training starts from; None if that is the base.
        from_base: Training starts from the base.
        keep: Called with what was found before the training, so that nobody has to find it again,
            even if the training does not end.
    """

    def __init__(
        self,
        exam: Exam,
        run_control: RunControl,
        base: Figures | None = None,
        parent: Figures | None = None,
        *,
        from_base: bool = True,
        keep: Callable[[Figures], None] = lambda figures: None,
    ) -> None:
        self._exam = exam
        self._run_control = run_control
        self._base = _valid(base, exam.key)
        self._parent = _valid(parent, exam.key)
        self._from_base = from_base
        self._keep = keep
        self._stage: Stage = "before"
        self._done = self._total = 0

    @property
    def held_out(self) -> tuple[Sample, ...]:
        return tuple(q.sample for q in self._exam.held_out if q.sample is not None)

    def before(self, model: Any) -> Figures:
        """Return the figures of the version that training starts from."""
        if self._from_base:
            at_rest = tuple(
                TextFigure(id=q.id, language=q.language, nats=0.0) for q in self._exam.general
            )
            known = self._base.model_copy(update={"drifts": at_rest})
            with model.disable_adapter():
                found = self._base = self._sit(model, known, "before")
        else:
            found = self._sit(model, self._parent, "before")
        # What the user corrected may be the reply of another version, or sampled.
        corrected = {question.id for question in self._exam.taught if question.original}
        asked = tuple(answer for answer in found.taught if answer.id not in corrected)
        self._keep(found.model_copy(update={"taught": asked}))
        return found

    def base(self, model: Any) -> Figures:
        """Return what the base answers to the probes."""
        with model.disable_adapter():
            probes = self._replies(model, self._exam.probes, self._base.probes)
        return Figures(probes=probes, key=self._exam.key)

    def after(self, model: Any) -> Figures:
        """Return the figures of the trained version."""
        return self._sit(model, Figures(key=self._exam.key), "after")

    def _sit(self, model: Any, known: Figures, stage: Stage) -> Figures:
        exam, held_samples = self._exam, self.held_out
        held_out = exam.held_out[:HOLDOUT_REPLIES]
        questions = (*exam.taught, *held_out, *exam.probes)
        answers = [*known.taught, *known.holdout, *known.probes]
        if stage == "before":
            answers += [q.answered(q.original, True) for q in exam.taught if q.original]
        general = self._general_replies(model, known.drifts)
        self._begin(stage, known, questions, answers, len(general))
        replies = self._replies(model, questions, answers)
        per_token = self._held_out_losses(model, known)
        nats = [n * _reply_tokens(s) for n, s in zip(per_token, held_samples, strict=True)]
        return Figures(
            key=exam.key,
            taught=replies[: len(exam.taught)],
            holdout=replies[len(exam.taught) : len(exam.taught) + len(held_out)],
            probes=replies[len(exam.taught) + len(held_out) :],
            holdout_loss=_mean(held_samples, nats),
            holdout_losses=per_token,
            holdout_ids=tuple(map(_sample_id, held_samples)),
            drifts=self._drifts(model, general, known.drifts),
            losses=self._losses(model, known.losses),
        )

    def _replies(
        self, model: Any, questions: Sequence[ExamQuestion], known: Iterable[Answer]
    ) -> tuple[Answer, ...]:
        answers = {answer.id: answer for answer in known}
        unknown = {question.id: question for question in questions if question.id not in answers}
        # Those of alike length side by side, so that few replies keep a batch waiting.
        asked = sorted(unknown.values(), key=lambda question: question.tokens)
        for start in range(0, len(asked), TOGETHER):
            found = self._ask(model, asked[start : start + TOGETHER])
            answers |= {answer.id: answer for answer in found}
        return tuple(q.answered(answers[q.id].reply, answers[q.id].ended) for q in questions)

    def _ask(self, model: Any, questions: Sequence[ExamQuestion]) -> list[Answer]:
        """Return the greedy replies of `model`."""
        from core.serving.batch_generation import generate_batch
        from core.serving.detokenizer import decode
        from core.serving.sampling import Sampler
        from core.serving.transformers_decoder import prefill_batch

        tokenizer, run_control = self._exam.tokenizer, self._run_control
        training = model.training
        model.eval()
        stop = stop_ids(tokenizer)
        replies = generate_batch(
            functools.partial(prefill_batch, model),
            [question.prompt for question in questions],
            functools.partial(Sampler, _GREEDY, 0),
            stop,
            [question.tokens for question in questions],
            slot=lambda: run_control.scheduler.micro_batch(run_control.cancelled),
            on_ended=self._report,
        )
        model.train(training)
        return [
            question.answered(decode(tokenizer, reply), ended=reply[-1] in stop)
            for question, reply in zip(questions, replies, strict=True)
        ]

    def _held_out_losses(self, model: Any, known: Figures) -> tuple[float, ...]:
        """Return the mean loss per token of each held-out reply."""
        samples = {_sample_id(sample): sample for sample in self.held_out}
        found = dict(zip(known.holdout_ids, known.holdout_losses, strict=False))
        unknown = [sample for name, sample in samples.items() if name not in found]
        nats = _nats(model, unknown, self._run_control, self._report)
        found |= zip(map(_sample_id, unknown), _per_token(unknown, nats), strict=True)
        return tuple(found[_sample_id(sample)] for sample in self.held_out)

    def _general_replies(
        self, model: Any, known: Sequence[TextFigure]
    ) -> dict[ExamQuestion, Sample]:
        """Return the base's brief replies whose drift is not known, by their general prompts.

        Those that have to be drawn first are a stage of their own.
        """
        exam, measured = self._exam, {text.id for text in known}
        if measured.issuperset(question.id for question in exam.general):
            return {}
        prompts = [question.prompt for question in exam.general]
        brief = brief_replies(model, exam.tokenizer, prompts, exam.directory, self._run_control)
        replies = zip(exam.general, brief, strict=True)
        return {q: reply for q, reply in replies if reply and q.id not in measured}

    def _drifts(
        self, model: Any, replies: Mapping[ExamQuestion, Sample], known: Sequence[TextFigure]
    ) -> tuple[TextFigure, ...]:
        found = {text.id: text for text in known}
        texts = list(replies.values())
        nats = drift(model, texts, self._run_control, self._report) if texts else []
        for question, one in zip(replies, nats, strict=True):
            found[question.id] = TextFigure(id=question.id, language=question.language, nats=one)
        return tuple(found[q.id] for q in self._exam.general if q.id in found)

    def _losses(self, model: Any, known: Sequence[TextFigure]) -> tuple[TextFigure, ...]:
        found = {text.id: text for text in known}
        read = [text for text in self._exam.texts if text.id not in found]
        samples = [text.sample for text in read]
        losses = _per_token(samples, _nats(model, samples, self._run_control, self._report))
        for text, loss in zip(read, losses, strict=True):
            found[text.id] = TextFigure(id=text.id, language=text.language, nats=loss)
        return tuple(found[text.id] for text in self._exam.texts)

    # -- progress --------------------------------------------------------------------------------

    def _begin(
        self,
        stage: Stage,
        known: Figures,
        questions: Iterable[ExamQuestion],
        answers: Iterable[Answer],
        general: int,
    ) -> None:
        """Enter `stage`, with the number of questions, texts and general replies to be read."""
        exam = self._exam
        asked = {question.id for question in questions} - {answer.id for answer in answers}
        held_out = {_sample_id(sample) for sample in self.held_out} - {*known.holdout_ids}
        texts = {text.id for text in exam.texts} - {text.id for text in known.losses}
        self._stage, self._done = stage, 0
        self._total = len(asked) + len(held_out) + len(texts) + general
        self._run_control.enter(stage, self._total)

    def _report(self, count: int) -> None:
        self._done = min(self._done + count, self._total)
        self._run_control.emit(StageReport(self._stage, self._done, self._total))


def _valid(known: Figures | None, key: str) -> Figures:
    """Return `known` if it may be reused."""
    return known if known is not None and known.key == key else Figures(key=key)


def mean_loss(model: Any, samples: Sequence[Sample], run_control: RunControl) -> float | None:
    """Return the mean cross-entropy of the reply tokens, in nats; None without samples."""
    return _mean(samples, _nats(model, samples, run_control))


def _nats(
    model: Any,
    samples: Sequence[Sample],
    run_control: RunControl,
    on_read: Callable[[int], None] = lambda count: None,
) -> list[float]:
    """Return the negative log-likelihood of each reply."""
    found: list[float] = []
    for row in evaluation_rows(samples):
        for logps in reply_logps(model, [row], run_control):
            found += [-logp for logp in logps]
        on_read(len(row))
    return found


def _mean(samples: Sequence[Sample], nats: Sequence[float]) -> float | None:
    return sum(nats) / sum(map(_reply_tokens, samples)) if samples else None


def _per_token(samples: Sequence[Sample], nats: Sequence[float]) -> tuple[float, ...]:
    return tuple(n / _reply_tokens(sample) for sample, n in zip(samples, nats, strict=True))


def _reply_tokens(sample: Sample) -> int:
    return len(sample.input_ids) - sample.reply_start


def _sample_id(sample: Sample) -> str:
    return _id(sample.input_ids, sample.reply_start)


def _id(*tokens: object) -> str:
    return sha256(repr(tokens).encode()).hexdigest()[:12]


_Item = TypeVar("_Item", Answer, TextFigure)


def _united(items: Sequence[_Item], earlier: Sequence[_Item]) -> tuple[_Item, ...]:
    there: set[str] = {item.id for item in items}
    return tuple(chain(items, (item for item in earlier if item.id and item.id not in there)))
