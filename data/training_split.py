"""Which records a training run sees: what is new, what is repeated, what is held out.

Everything is a pure function of the records (and a seed), so a run can be repeated exactly.
"""

import hashlib
import json
import random
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from store.feedback import dedup_key
from store.records import ChatMessage, Instruction, Preference, Verdict

_Kind = TypeVar("_Kind", Instruction, Preference, Verdict)


@dataclass(frozen=True)
class Mix(Generic[_Kind]):
    """The records of one run."""

    new: tuple[_Kind, ...]
    replayed: tuple[_Kind, ...]
    """Learned before, and repeated so that they are not forgotten."""


def with_system(turns: Sequence[ChatMessage], system_prompt: str) -> tuple[ChatMessage, ...]:
    """Put the system prompt first where the turns have none of their own and it is not empty."""
    if not system_prompt or any(turn.role == "system" for turn in turns):
        return tuple(turns)
    return (ChatMessage(role="system", content=system_prompt), *turns)


def mix(new: Sequence[_Kind], learned: Sequence[_Kind], replay: float, seed: int) -> Mix[_Kind]:
    """Mix new records with a sample of earlier ones.

    Args:
        new: Not learned yet, oldest first.
        learned: In the lineage of the adapter that goes on learning, oldest first.
        replay: Share of the whole mix that the earlier ones are to be, at least 0 and below 1;
            fewer where there are not so many.
        seed: Decides which of the earlier ones.

    Returns:
        Both parts, each oldest first. Of those that say the same only the newest is kept, a new one
        before a learned one.
    """
    fresh = _newest({}, new)
    earlier = list(_newest(fresh, learned).values())
    share = round(len(fresh) * replay / (1 - replay))
    chosen = random.Random(seed).sample(range(len(earlier)), min(share, len(earlier)))
    return Mix(
        new=tuple(fresh.values()),
        replayed=tuple(earlier[index] for index in sorted(chosen)),
    )


def _newest(taken: Container[object], records: Iterable[_Kind]) -> dict[object, _Kind]:
    """The last of the records that say the same, by what they say, unless that is taken."""
    kept: dict[object, _Kind] = {}
    for record in records:
        key = dedup_key(record)
        if key not in taken:
            kept.pop(key, None)  # so that it moves to the end, where the newest are
            kept[key] = record
    return kept


def holdout(records: Sequence[_Kind], share: float = 0.2) -> tuple[list[_Kind], list[_Kind]]:
    """Split into records to train on and records to measure with, each in the given order.

    A conversation is never on both sides, and neither is a prompt: people ask again what they have
    taught, to see whether it was learned. Where a conversation lies is decided once, by its name
    alone (by its prompt where it has none), or by an earlier one it shares a prompt with. So sides
    stay as they are when records are added, and no later run trains on what an earlier one
    measured with. One thing gives way to that: a prompt that comes late into a conversation goes
    with the conversation, even where another one on the other side has it.

    Args:
        records: Oldest first.
        share: Of the conversations that is held out, about.
    """
    train: list[_Kind] = []
    held: list[_Kind] = []
    sides: dict[object, list[_Kind]] = {}
    for record in records:
        keys = (
            [record.conversation_id, record.prompt] if record.conversation_id else [record.prompt]
        )
        drawn = held if _position(record) < share else train
        side = next((sides[key] for key in keys if key in sides), drawn)
        side.append(record)
        sides |= {key: side for key in keys if key not in sides}
    return train, held


def _position(record: Instruction | Preference | Verdict) -> float:
    """Where the record's group lies between 0 and 1, evenly spread."""
    group = record.conversation_id or json.dumps([turn.model_dump() for turn in record.prompt])
    digest = hashlib.sha256(group.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
