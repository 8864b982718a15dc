"""The starter set: short instructions with good replies, and prompts to try a model with.

Written for Tutee, half in English and half in Chinese, over translation, sentiment, summary,
e-mail, code, question answering and explanation. The replies are as short as the question allows,
say so where something cannot be known, and decline what would harm; a placeholder stands in square
brackets where only the person knows what belongs there. Offered where a home is empty, and never
added unasked. The licence is the project's own.

`instructions.jsonl` holds rows of the messages format, so that every tool of the field reads it;
`probes.jsonl` holds prompts that are not among them, asked before and after training, and
`rehearsal.jsonl` holds general texts that are among neither, on which training keeps to the base.
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


class Probe(NamedTuple):
    """A prompt that is asked of every version, so that they can be compared."""

    id: str
    task: str
    language: str
    prompt: str


def instructions() -> list[Instruction]:
    """The instructions as records; the same texts have the same ids each time."""
    return [_instruction(row["messages"]) for row in _rows("instructions.jsonl")]


@cache
def rehearsal() -> tuple[Instruction, ...]:
    """General texts that are not offered to be learned from."""
    return tuple(_instruction(row["messages"]) for row in _rows("rehearsal.jsonl"))


@cache
def probes() -> tuple[Probe, ...]:
    """The prompts to try a model with."""
    return tuple(Probe(**row) for row in _rows("probes.jsonl"))


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
