"""A plan's records as tokens: what the passes train on, and the exam of its versions.

A conversation longer than the settings or the model's context allow is shortened as in the chat.
Records whose last question and reply alone are longer are left out here; the caller counts them.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from core.models.loading import load_tokenizer
from core.runs import record_lengths
from core.runs.plan import Plan
from core.training.exam import Exam, ExamQuestion
from core.training.rehearsal import RehearsalPlan
from data import starter
from data.prompt_fitting import fit_prompt, fit_samples
from data.tokenization import Sample, encode_prompt
from data.training_split import with_system
from store.records import ChatMessage, Instruction, Preference, Verdict

_REFERENCE_TEXTS = 50
"""Texts whose loss shows forgetting; fewer would move by more than the gate allows."""


class RunSamples:
    """The records of one plan, tokenized for its passes."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @cached_property
    def tokenizer(self) -> Any:
        return load_tokenizer(self._plan.adapters.folder)

    @cached_property
    def limit(self) -> int:
        """Tokens of prompt and reply that a sample may have."""
        return record_lengths.limit(self._plan.adapters.folder, self._plan.settings)

    def replies(self, records: Iterable[Instruction | Verdict]) -> dict[str, Sample]:
        """Return samples by record id, without those that are too long."""
        samples = {r.id: self._sample(r.prompt, r.completion) for r in records}
        return {name: sample for name, sample in samples.items() if self._fits(sample)}

    def pairs(self, records: Iterable[Preference]) -> dict[str, tuple[Sample, Sample]]:
        """Return chosen and rejected samples by record id, without those that are too long."""
        pairs = {}
        for r in records:
            chosen, rejected = self._fitted(r.prompt, r.chosen, r.rejected)
            if self._fits(chosen) and self._fits(rejected):
                pairs[r.id] = (chosen, rejected)
        return pairs

    def prompts(self, prompts: Iterable[Sequence[ChatMessage]]) -> list[tuple[int, ...]]:
        """Return the token ids of prompts that leave room for the replies RL samples."""
        room = self.limit - self._plan.settings.rl.max_new_tokens
        fitted = (fit_prompt(self.tokenizer, self._messages(p), room)[0] for p in prompts)
        return [tuple(prompt) for prompt in fitted if len(prompt) <= room]

    @cached_property
    def rehearsal(self) -> RehearsalPlan:
        """General prompts in the languages taught, without any prompt of a record.

        In a language that no general prompt is in, the English ones stand for all others.
        """
        prompts = self._plan.rl  # those of all records
        taught = {prompt[-1].content for prompt in (*prompts.train, *prompts.held_out)}
        general = starter.rehearsal()
        languages = {p.language for p in general} & {*self._plan.languages} or {"en"}
        return RehearsalPlan(
            prompts=tuple(
                tuple(encode_prompt(self.tokenizer, self._messages((_asked(p.prompt),))))
                for p in general
                if p.language in languages and p.prompt not in taught
            ),
            weight=self._plan.settings.rehearsal,
            tokenizer=self.tokenizer,
            directory=self._plan.adapters.dir,
        )

    @cached_property
    def exam(self) -> Exam:
        """The questions put to each version before and after its training."""
        texts = starter.instructions()
        spread = [texts[i * len(texts) // _REFERENCE_TEXTS] for i in range(_REFERENCE_TEXTS)]
        return Exam(
            tokenizer=self.tokenizer,
            probes=tuple(
                self._question((_asked(p.prompt),), language=p.language) for p in starter.probes()
            ),
            reference=tuple(self._sample(r.prompt, r.completion) for r in spread),
            held_out=tuple(
                question
                for record in self._plan.sft.held_out
                if (question := self._question(record.prompt, record.completion)).sample
                and self._fits(question.sample)
            ),
        )

    def _question(
        self, prompt: Sequence[ChatMessage], wanted: str = "", language: str = ""
    ) -> ExamQuestion:
        sample = self._sample(prompt, wanted)
        return ExamQuestion(
            text=prompt[-1].content,
            prompt=sample.input_ids[: sample.reply_start],
            wanted=wanted,
            language=language,
            sample=sample if wanted else None,
        )

    def _messages(self, prompt: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
        return with_system(prompt, self._plan.system_prompt)

    def _sample(self, prompt: Sequence[ChatMessage], reply: str) -> Sample:
        return self._fitted(prompt, reply)[0]

    def _fitted(self, prompt: Sequence[ChatMessage], *replies: str) -> list[Sample]:
        return fit_samples(self.tokenizer, self._messages(prompt), replies, self.limit)

    def _fits(self, sample: Sample) -> bool:
        return len(sample.input_ids) <= self.limit


def _asked(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)
