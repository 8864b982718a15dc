"""Pairs of replies that differ in tone, polite or not: the preference the passes learn here."""

import json
import random
import sys
from dataclasses import dataclass
from typing import Any

from core.config import Config
from data.tokenization import Sample, encode, encode_prompt
from data.training_split import with_system
from store.records import ChatMessage
from tests.bench.reviews import DATA

FILE = DATA.parent / "rasbt-instruction" / "instruction-data-with-preference.json"


@dataclass(frozen=True)
class Pair:
    question: str
    chosen: str
    rejected: str

    @property
    def prompt(self) -> tuple[ChatMessage, ...]:
        return with_system(
            (ChatMessage(role="user", content=self.question),), Config().chat.system_prompt
        )


def pairs(count: int, skip: int = 0) -> list[Pair]:
    """`count` pairs in an order of chance that is always the same, as the file changes its manner.

    Ends the program where the data is absent.
    """
    if not FILE.exists():
        sys.exit(f"This benchmark needs {FILE}, which is not part of the project.")
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    random.Random(0).shuffle(rows)
    return [
        Pair("\n".join(filter(None, (r["instruction"], r["input"]))), r["chosen"], r["rejected"])
        for r in rows[skip : skip + count]
    ]


def samples(tokenizer: Any, pair: Pair) -> tuple[Sample, Sample]:
    """The pair as the passes take it: chosen, rejected."""
    return (
        encode(tokenizer, pair.prompt, pair.chosen),
        encode(tokenizer, pair.prompt, pair.rejected),
    )


def prompt(tokenizer: Any, pair: Pair) -> tuple[int, ...]:
    """The question as the chat feeds it."""
    return tuple(encode_prompt(tokenizer, pair.prompt))
