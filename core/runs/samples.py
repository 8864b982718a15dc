"""What the passes of a run learn from, and what its versions are asked: records as tokens.

Records that are longer than the settings or the model's context allow are left out here, and
counted by who asks.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from core.models.loading import load_tokenizer
from core.runs import record_lengths
from core.runs.plan import Plan
from core.training.exam import Exam, ExamQuestion
from data import starter
from data.tokenization import Sample, encode, encode_prompt
from data.training_split import with_system
from store.records import ChatMessage, Instruction, Preference, Verdict

REFERENCE_ROWS = 50
"""Texts whose loss tells what was forgotten; fewer would move by more than the gate allows."""


class Lessons:
    """The records of one plan, as the passes take them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @cached_property
    def tokenizer(self) -> Any:
        return load_tokenizer(self._plan.adapters.folder)

    @cached_property
    def limit(self) -> int:
        """Tokens of prompt and reply that a sample may have."""
        return record_lengths.limit(self._plan.adapters.folder, self._plan.settings)

    def samples(self, records: Iterable[Instruction | Verdict]) -> dict[str, Sample]:
        """By record; those that are too long are left out."""
        samples = {r.id: self._sample(r.prompt, r.completion) for r in records}
        return {name: sample for name, sample in samples.items() if self._fits(sample)}

    def pairs(self, records: Iterable[Preference]) -> dict[str, tuple[Sample, Sample]]:
        """Chosen and rejected by record; those that are too long are left out."""
        pairs = {
            r.id: (self._sample(r.prompt, r.chosen), self._sample(r.prompt, r.rejected))
            for r in records
        }
        return {name: pair for name, pair in pairs.items() if all(map(self._fits, pair))}

    def prompts(self, prompts: Iterable[Sequence[ChatMessage]]) -> list[tuple[int, ...]]:
        """Those that leave room for the replies that RL draws."""
        room = self.limit - self._plan.settings.rl.max_new_tokens
        encoded = (tuple(encode_prompt(self.tokenizer, self._turns(p))) for p in prompts)
        return [prompt for prompt in encoded if len(prompt) <= room]

    @cached_property
    def rehearsed(self) -> list[Sample]:
        """General texts that SFT keeps to the base on, without prompts that somebody taught."""
        if not self._plan.settings.sft.rehearsal:
            return []
        every = self._plan.rl  # the prompts of all records
        taught = {prompt[-1].content for prompt in (*every.train, *every.held_out)}
        samples = [
            self._sample(record.prompt, record.completion)
            for record in starter.rehearsal()
            if record.prompt[-1].content not in taught
        ]
        return [sample for sample in samples if self._fits(sample)]

    @cached_property
    def exam(self) -> Exam:
        """What each version is asked before and after its training."""
        known = starter.instructions()
        spread = [known[i * len(known) // REFERENCE_ROWS] for i in range(REFERENCE_ROWS)]
        return Exam(
            tokenizer=self.tokenizer,
            probes=tuple(
                self._question(
                    (ChatMessage(role="user", content=probe.prompt),), language=probe.language
                )
                for probe in starter.probes()
            ),
            reference=tuple(self._sample(r.prompt, r.completion) for r in spread),
            held_out=tuple(
                held
                for record in self._plan.sft.held_out
                if (held := self._question(record.prompt, record.completion)).sample
                and self._fits(held.sample)
            ),
        )

    def _question(
        self, prompt: Sequence[ChatMessage], wanted: str = "", language: str = ""
    ) -> ExamQuestion:
        turns = self._turns(prompt)
        return ExamQuestion(
            text=prompt[-1].content,
            prompt=tuple(encode_prompt(self.tokenizer, turns)),
            wanted=wanted,
            language=language,
            sample=encode(self.tokenizer, turns, wanted) if wanted else None,
        )

    def _turns(self, prompt: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
        return with_system(prompt, self._plan.system_prompt)

    def _sample(self, prompt: Sequence[ChatMessage], reply: str) -> Sample:
        return encode(self.tokenizer, self._turns(prompt), reply)

    def _fits(self, sample: Sample) -> bool:
        return len(sample.input_ids) <= self.limit
