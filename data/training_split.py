"""Which records a training run uses: new ones, replayed ones, and held-out ones.

Everything is a pure function of the records and a seed, so a run can be repeated exactly.
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
    new: tuple[_Kind, ...]
    replayed: tuple[_Kind, ...]
    """Learned before, and repeated so that they are not forgotten."""


def with_system(messages: Sequence[ChatMessage], system_prompt: str) -> tuple[ChatMessage, ...]:
    """Put a non-empty system prompt first, unless the messages have one already."""
    if not system_prompt or any(message.role == "system" for message in messages):
        return tuple(messages)
    return (ChatMessage(role="system", content=system_prompt), *messages)


def mix(new: Sequence[_Kind], learned: Sequence[_Kind], replay: float, seed: int) -> Mix[_Kind]:
    """Mix new records with a sample of earlier ones.

    Args:
        new: Not learned yet, oldest first.
        learned: Learned by the adapter to be trained further or its ancestors, oldest first.
        replay: Share of earlier records in the whole mix, at least 0 and below 1; fewer if there
            are not enough.
        seed: Selects the earlier records.

    Returns:
        Both parts, each oldest first. Of records with the same dedup key only the newest is kept,
        and a new one takes precedence over a learned one.
    """
    fresh = _newest({}, new)
    earlier = list(_newest(fresh, learned).values())
    share = round(len(fresh) * replay / (1 - replay))
    chosen = random.Random(seed).sample(range(len(earlier)), min(share, len(earlier)))
    return Mix(
        new=tuple(fresh.values()), replayed=tuple(earlier[index] for index in sorted(chosen))
    )


def _newest(taken: Container[object], records: Iterable[_Kind]) -> dict[object, _Kind]:
    """The last record for each dedup key, by that key, skipping keys in `taken`."""
    kept: dict[object, _Kind] = {}
    for record in records:
        key = dedup_key(record)
        if key not in taken:
            kept.pop(key, None)  # moves it to the end, where the newest are
            kept[key] = record
    return kept


def holdout(records: Sequence[_Kind], share: float = 0.2) -> tuple[list[_Kind], list[_Kind]]:
    """Split records into a training and a held-out part, each in the given order.

    A conversation is never on both sides, and neither is a prompt, because people ask again what
    they have taught, to see whether it was learned. The side of a conversation is decided once, by
    a hash of its id (of its prompt if it has none), or by an earlier conversation that shares a
    prompt with it. So sides do not change when records are added, and no later run trains on what
    an earlier run was measured with. One exception: a prompt that comes late in a conversation goes
    with that conversation, even if another conversation with the same prompt is on the other side.

    Args:
        records: Oldest first.
        share: Approximate share of conversations to hold out.
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
    """Hash of the record's group, uniform between 0 and 1."""
    group = record.conversation_id or json.dumps(
        [message.model_dump() for message in record.prompt]
    )
    digest = hashlib.sha256(group.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
