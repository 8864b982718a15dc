"""Which records a training run sees: what is new, what is repeated, what is held out.

Everything is a pure function of the records (and a seed), so a run can be repeated exactly.
"""

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from store.records import Instruction, Preference, Turn, Verdict

_Kind = TypeVar("_Kind", Instruction, Preference, Verdict)


@dataclass(frozen=True)
class SftMix:
    """The instructions of one SFT run."""

    new: tuple[Instruction, ...]
    replayed: tuple[Instruction, ...]
    """Learned before, and repeated so that they are not forgotten."""


def with_system(turns: Sequence[Turn], system_prompt: str) -> tuple[Turn, ...]:
    """Put the system prompt first where the turns have none of their own and it is not empty."""
    if not system_prompt or any(turn.role == "system" for turn in turns):
        return tuple(turns)
    return (Turn(role="system", content=system_prompt), *turns)


def sft_mix(
    new: Sequence[Instruction], learned: Sequence[Instruction], replay: float, seed: int
) -> SftMix:
    """Mix new instructions with a sample of earlier ones.

    Args:
        new: Not learned yet, oldest first.
        learned: In the lineage of the adapter that goes on learning, oldest first.
        replay: Share of the whole mix that the earlier ones are to be, at least 0 and below 1;
            fewer where there are not so many.
        seed: Decides which of the earlier ones.

    Returns:
        Both parts, each oldest first. Of those with the same prompt and completion only the
        newest is kept, a new one before a learned one.
    """
    fresh = _newest({}, new)
    earlier = list(_newest(fresh, learned).values())
    share = round(len(fresh) * replay / (1 - replay))
    chosen = random.Random(seed).sample(range(len(earlier)), min(share, len(earlier)))
    return SftMix(
        new=tuple(fresh.values()),
        replayed=tuple(earlier[index] for index in sorted(chosen)),
    )


def _newest(
    taken: dict[tuple[object, str], Instruction], records: Iterable[Instruction]
) -> dict[tuple[object, str], Instruction]:
    """The last record of each prompt and completion that is not taken."""
    kept: dict[tuple[object, str], Instruction] = {}
    for record in records:
        key = (record.prompt, record.completion)
        if key not in taken:
            kept.pop(key, None)  # so that it moves to the end, where the newest are
            kept[key] = record
    return kept


def holdout(records: Sequence[_Kind], share: float = 0.2) -> tuple[list[_Kind], list[_Kind]]:
    """Split into records to train on and records to measure with, each in the given order.

    The split is sticky: a record's side depends on its conversation alone (on its prompt where it
    was imported), so that no later run trains on what an earlier one measured with, and one
    conversation is never on both sides.
    """
    train: list[_Kind] = []
    held: list[_Kind] = []
    for record in records:
        (held if _position(record) < share else train).append(record)
    return train, held


def _position(record: Instruction | Preference | Verdict) -> float:
    """Where the record's group lies between 0 and 1, evenly spread."""
    group = record.conversation_id or json.dumps([turn.model_dump() for turn in record.prompt])
    digest = hashlib.sha256(group.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
