"""The starter set: short instructions with good replies, and prompts to try a model with.

Written for Tutee, half in English and half in Chinese, covering translation, sentiment, summary,
e-mail, code, question answering and explanation. The replies are as short as the question allows,
say so if something cannot be known, and decline what would harm; a placeholder in square brackets
stands for what only the user knows. Offered when a home is empty, and never added unasked. The
license is the project's own.

`instructions.jsonl` holds rows in the messages format, so that common tools can read it.
`probes.jsonl` holds other prompts, asked before and after training: everyday ones, the seven of the
project's reference run with the right answers where they can be checked, and some that a model
should decline. `rehearsal.jsonl` holds general prompts to which training keeps the replies of the
base model, and `gate.jsonl` others on which it is judged how close it stayed. No prompt is in two
of these files.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from store.records import ChatMessage, Instruction, Origin

SOURCE = "starter"
"""`Origin.source` of the instructions."""


DECLINE = "decline"
"""Task of the probes that a model should decline."""


class Probe(NamedTuple):
    """A prompt asked of every version, so that versions can be compared."""

    id: str
    task: str
    language: str
    prompt: str
    want: str = ""
    """Right answers, separated by `|`: a reply that contains one is right. Empty if it takes a
    reader to judge."""

    @property
    def declines(self) -> bool:
        """Whether a model should decline it."""
        return self.task == DECLINE


class GeneralPrompt(NamedTuple):
    """A prompt on which training should leave the model as it is."""

    language: str
    prompt: str


def instructions() -> list[Instruction]:
    """Return the instructions as records; the same texts always have the same ids."""
    return [_instruction(row["messages"]) for row in _rows("instructions.jsonl")]


@cache
def rehearsal() -> tuple[GeneralPrompt, ...]:
    """Return general prompts that are not offered to learn from."""
    return tuple(GeneralPrompt(**row) for row in _rows("rehearsal.jsonl"))


@cache
def probes() -> tuple[Probe, ...]:
    """Return the prompts to try a model with."""
    return tuple(Probe(**row) for row in _rows("probes.jsonl"))


@cache
def gate_prompts() -> tuple[GeneralPrompt, ...]:
    """Return the prompts on which the gate measures drift."""
    return tuple(GeneralPrompt(**row) for row in _rows("gate.jsonl"))


def _instruction(messages: list[dict[str, str]]) -> Instruction:
    *prompt, reply = (ChatMessage.model_validate(message) for message in messages)
    text = json.dumps(messages, ensure_ascii=False)
    name = hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]
    return Instruction(
        id=name,
        act=name,
        origin=Origin(source=SOURCE),
        prompt=tuple(prompt),
        completion=reply.content,
    )


def _rows(name: str) -> Iterator[dict[str, Any]]:
    text = (files(__package__) / name).read_text(encoding="utf-8")
    return (json.loads(line) for line in text.splitlines())
