"""Which records a training run uses: new ones, replayed ones, and held-out ones.

Everything is a pure function of the records and a seed, so a run can be repeated exactly.
"""

import hashlib
import json
import random
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from store.feedback import dedup_key
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

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


@dataclass(frozen=True)
class Split:
    """Records of all kinds on two sides, each in the given order.

    No conversation and no prompt is on both.
    """

    train: tuple[Record, ...]
    held_out: tuple[Record, ...]


def holdout(records: Sequence[Record], share: float = 0.2, trained: Iterable[str] = ()) -> Split:
    """Split records of any kinds into a training and a held-out side.

    One split serves all kinds, because one act writes several: a correction is an instruction and
    a preference, and what one pass measures with, another must not train on. A conversation is
    never on both sides, and neither is a prompt, because people ask again what they have taught, to
    see whether it was learned.

    The side of a conversation is decided once, by a hash of its id (of its prompt if it has none),
    or by an earlier conversation that shares a prompt with it. So sides do not change when records
    are added, and no later run trains on what an earlier run was measured with. The price: a record
    whose conversation and prompt are already on different sides is on neither. It takes a prompt
    that comes late in a conversation, after another conversation began with it.

    Args:
        records: Oldest first.
        share: Approximate share of conversations to hold out.
        trained: Keys (`group_keys`) that are on the training side whatever their hash is, because
            something with them was trained on.
    """
    train: list[Record] = []
    held: list[Record] = []
    sides: dict[str, list[Record]] = dict.fromkeys(trained, train)
    for record in records:
        keys = group_keys(record)
        drawn = held if int(keys[0], 16) / 2**64 < share else train
        side = next((sides[key] for key in keys if key in sides), drawn)
        if all(sides.setdefault(key, side) is side for key in keys):
            side.append(record)
    return Split(tuple(train), tuple(held))


def group_keys(record: Record) -> tuple[str, ...]:
    """Return what binds a record to others: hashes of its conversation, if it has one, and of its
    prompt, as 16 hexadecimal digits each. Records with a common key are on the same side."""
    prompt = prompt_key(record.prompt)
    return (_hash(record.conversation_id), prompt) if record.conversation_id else (prompt,)


@lru_cache(maxsize=2**14)
def prompt_key(prompt: tuple[ChatMessage, ...]) -> str:
    """Return the key of the records with this prompt, as in `group_keys`."""
    return _hash(json.dumps([{"role": m.role, "content": m.content} for m in prompt]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def groups(records: Iterable[Record]) -> list[list[Record]]:
    """Join records that share a conversation or a prompt, directly or over others (union-find).

    Returns:
        The groups in the order of their first records, each in the given order.
    """
    parents: dict[str, str] = {}

    def root(key: str) -> str:
        while (parent := parents.setdefault(key, key)) != key:
            parents[key] = parents[parent]
            key = parent
        return key

    listed = list(records)
    for record in listed:
        first, *others = group_keys(record)
        for other in others:
            parents[root(other)] = root(first)
    found: dict[str, list[Record]] = {}
    for record in listed:
        found.setdefault(root(group_keys(record)[0]), []).append(record)
    return list(found.values())


def group_numbers(records: Iterable[Record]) -> dict[str, int]:
    """Return the number of each record's group (`groups`), by the record's id."""
    return {one.id: number for number, group in enumerate(groups(records)) for one in group}
