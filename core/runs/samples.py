"""A plan's records as tokens: what the passes train on, and the exam of its versions.

Records that are longer than the settings or the model's context allow are left out here; the caller
counts them.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

from core.models.loading import load_tokenizer
from core.runs import record_lengths
from core.runs.plan import Plan
from core.training.exam import TAUGHT_REPLIES, Exam, ExamQuestion, ExamText
from data import starter
from data.quality.language_detection import language_of
from data.tokenization import Sample, encode, encode_prompt
from data.training_split import with_system
from store.records import ChatMessage, Instruction, Preference, Verdict

_TEXTS = 12
"""Texts by people in each language; their loss is shown, not judged."""

_Prompt = TypeVar("_Prompt", starter.Probe, starter.GatePrompt)


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
        pairs = {
            r.id: (self._sample(r.prompt, r.chosen), self._sample(r.prompt, r.rejected))
            for r in records
        }
        return {name: pair for name, pair in pairs.items() if all(map(self._fits, pair))}

    def prompts(self, prompts: Iterable[Sequence[ChatMessage]]) -> list[tuple[int, ...]]:
        """Return the token ids of prompts that leave room for the replies RL samples."""
        room = self.limit - self._plan.settings.rl.max_new_tokens
        encoded = (tuple(encode_prompt(self.tokenizer, self._messages(p))) for p in prompts)
        return [prompt for prompt in encoded if len(prompt) <= room]

    @cached_property
    def rehearsal(self) -> list[Sample]:
        """General texts on which SFT is kept close to the base, without any prompt of a record."""
        if not self._plan.settings.sft.rehearsal:
            return []
        prompts = self._plan.rl  # those of all records
        taught = {prompt[-1].content for prompt in (*prompts.train, *prompts.held_out)}
        texts = (r for r in starter.rehearsal() if r.prompt[-1].content not in taught)
        samples = [self._sample(text.prompt, text.completion) for text in texts]
        return [sample for sample in samples if self._fits(sample)]

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
        )

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

    def _sample(self, prompt: Sequence[ChatMessage], reply: str) -> Sample:
        return encode(self.tokenizer, self._messages(prompt), reply)

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
