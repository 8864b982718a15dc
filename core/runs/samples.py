"""A plan's records as tokens: what the passes train on, and the exam of its versions.

A conversation longer than the settings or the model's context allow is shortened as in the chat.
Records whose last question and reply alone are longer are left out here, and so are those that the
model's chat template refuses; the caller counts them.
"""

import random
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeVar

from core.models.loading import load_tokenizer, quantised
from core.runs import record_lengths
from core.runs.plan import Plan
from core.runtime.device import device
from core.training.bf16_base import has_bf16_instructions
from core.training.exam import TAUGHT_REPLIES, Exam, ExamQuestion, ExamText
from core.training.rehearsal import RehearsalPlan
from data import starter
from data.prompt_fitting import fit_prompt, fit_samples
from data.quality.language_detection import language_of
from data.tokenization import Sample, TemplateRefusedError, encode_prompt
from data.training_split import with_system
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

_TEXTS = 12
"""Texts by people in each language; their loss is shown, not judged."""

_Prompt = TypeVar("_Prompt", starter.Probe, starter.GeneralPrompt)


class RunSamples:
    """The records of one plan, tokenized for its passes."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.refused: dict[str, str] = {}
        """The template's reason by id of each record that it refused."""

    @cached_property
    def tokenizer(self) -> Any:
        return load_tokenizer(self._plan.adapters.folder)

    @cached_property
    def limit(self) -> int:
        """Tokens of prompt and reply that a sample may have."""
        return record_lengths.limit(self._plan.adapters.folder, self._plan.settings)

    def replies(self, records: Iterable[Instruction | Verdict]) -> dict[str, Sample]:
        """Return samples by record id, without those that are too long or refused."""
        samples = {r.id: self._accepted(r, r.completion) for r in records}
        return {name: fitted[0] for name, fitted in samples.items() if fitted}

    def pairs(self, records: Iterable[Preference]) -> dict[str, tuple[Sample, Sample]]:
        """Return chosen and rejected samples by record id, without those that are too long or
        refused."""
        pairs = {r.id: self._accepted(r, r.chosen, r.rejected) for r in records}
        return {name: (fitted[0], fitted[1]) for name, fitted in pairs.items() if fitted}

    def prompts(self, prompts: Iterable[Sequence[ChatMessage]]) -> list[tuple[int, ...]]:
        """Return the token ids of prompts that leave room for the replies RL samples."""
        room = self.limit - self._plan.settings.rl.max_new_tokens
        fitted = []
        for prompt in prompts:
            with suppress(TemplateRefusedError):
                fitted.append(fit_prompt(self.tokenizer, self._messages(prompt), room)[0])
        return [tuple(prompt) for prompt in fitted if len(prompt) <= room]

    @cached_property
    def rehearsal(self) -> RehearsalPlan:
        """General prompts in the languages taught, without any prompt of a record.

        In a language that no general prompt is in, the English ones stand for all others.
        """
        general = starter.rehearsal()
        languages = {p.language for p in general}.intersection(self._plan.languages) or {"en"}
        return RehearsalPlan(
            prompts=tuple(
                self._general(p.prompt, p.language).prompt
                for p in general
                if p.language in languages and _plain(p.prompt) not in self._taught_prompts
            ),
            weight=self._plan.settings.rehearsal,
            tokenizer=self.tokenizer,
            directory=self._plan.adapters.dir,
            examined=tuple(question.prompt for question in self.exam.general),
        )

    @cached_property
    def exam(self) -> Exam:
        """The questions put to each version before and after its training.

        Apart from the taught ones, none was ever taught, and all are in the languages taught, or in
        every language if there are no questions in those.
        """
        held_out = self.replies(self._plan.sft.held_out)
        by_language: dict[str, list[Instruction]] = {}
        for text in starter.instructions():
            by_language.setdefault(language_of(text.prompt[-1].content), []).append(text)
        return Exam(
            tokenizer=self.tokenizer,
            probes=tuple(
                replace(self._general(p.prompt, p.language), wanted=p.want, declines=p.declines)
                for p in self._asked(starter.probes())
            ),
            general=tuple(
                self._general(p.prompt, p.language) for p in self._asked(starter.gate_prompts())
            ),
            texts=tuple(
                ExamText(self._sample(text.prompt, text.completion), language)
                for language in self._languages
                for text in _spread(list(filter(self._untaught, by_language[language])), _TEXTS)
            ),
            held_out=tuple(
                _question(record, held_out[record.id])
                for record in self._plan.sft.held_out
                if record.id in held_out
            ),
            taught=self.taught(self._plan.sft.new) if self._trains_sft else (),
            directory=self._plan.adapters.dir,
            key=self._exam_key,
        )

    @property
    def _exam_key(self) -> str:
        """What the answers of one version depend on beside the questions."""
        folder = self._plan.adapters.folder
        parts = (folder.revision, device(), quantised(folder).four_bit, has_bf16_instructions())
        return sha256(repr(parts).encode()).hexdigest()[:12]

    def taught(self, records: Sequence[Instruction]) -> tuple[ExamQuestion, ...]:
        """Return the questions that `records`, oldest first, teach: the newest first.

        Of more than `TAUGHT_REPLIES`, a sample.
        """
        pairs = self._plan.dpo
        originals = {
            pair.act: pair.rejected for pair in (*pairs.unlearned, *pairs.replayed, *pairs.held_out)
        }
        samples = self.replies(records)
        fitting = [record for record in records if record.id in samples]
        count = min(len(fitting), TAUGHT_REPLIES)
        drawn = random.Random(self._plan.settings.seed).sample(range(len(fitting)), count)
        return tuple(
            _question(fitting[i], samples[fitting[i].id], originals.get(fitting[i].act, ""))
            for i in sorted(drawn, reverse=True)
        )

    @property
    def _trains_sft(self) -> bool:
        return any(planned.name == "sft" for planned in self._plan.wanted)

    @cached_property
    def _languages(self) -> tuple[str, ...]:
        """The languages of the general questions."""
        known = {probe.language for probe in starter.probes()}
        return tuple(sorted(known.intersection(self._plan.languages) or known))

    @cached_property
    def _taught_prompts(self) -> frozenset[str]:
        prompts = self._plan.rl  # those of all records
        return frozenset(_plain(p[-1].content) for p in (*prompts.train, *prompts.held_out))

    def _untaught(self, record: Instruction) -> bool:
        return _plain(record.prompt[-1].content) not in self._taught_prompts

    def _asked(self, prompts: Iterable[_Prompt]) -> list[_Prompt]:
        """Return the general prompts that are in the languages taught and were not taught."""
        return [
            prompt
            for prompt in prompts
            if prompt.language in self._languages
            and _plain(prompt.prompt) not in self._taught_prompts
        ]

    def _general(self, prompt: str, language: str) -> ExamQuestion:
        message = ChatMessage(role="user", content=prompt)
        ids = encode_prompt(self.tokenizer, self._messages((message,)))
        return ExamQuestion(text=prompt, prompt=tuple(ids), language=language)

    def _messages(self, prompt: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
        return with_system(prompt, self._plan.system_prompt)

    def _accepted(self, record: Record, *replies: str) -> list[Sample]:
        """Return a sample with each reply; none if one is too long or the template refuses it."""
        try:
            samples = self._fitted(record.prompt, *replies)
        except TemplateRefusedError as error:
            self.refused[record.id] = error.why
            return []
        return samples if all(map(self._fits, samples)) else []

    def _sample(self, prompt: Sequence[ChatMessage], reply: str) -> Sample:
        return self._fitted(prompt, reply)[0]

    def _fitted(self, prompt: Sequence[ChatMessage], *replies: str) -> list[Sample]:
        return fit_samples(self.tokenizer, self._messages(prompt), replies, self.limit)

    def _fits(self, sample: Sample) -> bool:
        return len(sample.input_ids) <= self.limit


def _question(record: Instruction, sample: Sample, original: str = "") -> ExamQuestion:
    text = record.prompt[-1].content
    return ExamQuestion(
        text=text,
        prompt=sample.input_ids[: sample.reply_start],
        wanted=record.completion,
        sample=sample,
        language=language_of(text),
        original=original,
    )


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _spread(texts: Sequence[Instruction], count: int) -> list[Instruction]:
    """Return up to `count` of `texts` at equal distances, so that every task is among them."""
    count = min(count, len(texts))
    return [texts[i * len(texts) // count] for i in range(count)]
