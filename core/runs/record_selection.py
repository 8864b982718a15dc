"""Which records each pass learns, repeats and measures with.

A sticky fifth of the conversations is held out, but only where enough records remain to learn from
and enough are held out for a figure to mean something.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.config import Tuning
from data.training_split import holdout, mix
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

HOLDOUT_MINIMUM = 32
"""Below this many records of a kind, none is held out."""
_HOLDOUT_MOST = 0.4
"""Largest share held out. One long conversation can exceed it; then the longest are trained on
instead, or the user would wait in vain for them to be learned."""

_Kind = TypeVar("_Kind", Instruction, Preference, Verdict)


@dataclass(frozen=True)
class PassRecords(Generic[_Kind]):
    """The records of one pass, each part oldest first."""

    new: tuple[_Kind, ...] = ()
    """To be learned, without duplicates."""
    replayed: tuple[_Kind, ...] = ()
    """Learned before, and repeated so that they are not forgotten."""
    held_out: tuple[_Kind, ...] = ()
    """Never trained on, only measured with."""
    unlearned: tuple[_Kind, ...] = ()
    """All records that count as learned once `new` is: `new` and its duplicates."""

    @property
    def train(self) -> tuple[_Kind, ...]:
        return self.new + self.replayed


Prompt = tuple[ChatMessage, ...]


@dataclass(frozen=True)
class RLPrompts:
    train: tuple[Prompt, ...] = ()
    held_out: tuple[Prompt, ...] = ()


def select(
    records: Sequence[_Kind], learned: frozenset[str], settings: Tuning
) -> PassRecords[_Kind]:
    """Split `records`, oldest first, into what a pass learns, repeats and measures with."""
    train, held_out = _split(records)
    unlearned = [record for record in train if record.id not in learned]
    earlier = [record for record in train if record.id in learned]
    mixed = mix(unlearned, earlier, settings.replay, settings.seed)
    return PassRecords(
        new=mixed.new,
        replayed=mixed.replayed,
        # Records learned before there were enough to hold some out cannot measure any more.
        held_out=tuple(record for record in held_out if record.id not in learned),
        unlearned=tuple(unlearned),
    )


def select_prompts(
    instructions: Sequence[Instruction],
    verdicts: Sequence[Verdict],
    preferences: Sequence[Preference],
) -> RLPrompts:
    """Return every prompt once; the prompts of held-out records stay held out."""
    train: dict[Prompt, None] = {}
    held_out: dict[Prompt, None] = {}
    for train_part, held_out_part in (_split(instructions), _split(verdicts), _split(preferences)):
        train |= dict.fromkeys(record.prompt for record in train_part)
        held_out |= dict.fromkeys(record.prompt for record in held_out_part)
    return RLPrompts(tuple(prompt for prompt in train if prompt not in held_out), tuple(held_out))


def held_out_instructions(records: Iterable[Record]) -> frozenset[str]:
    """Return the ids of the instructions that are currently held out."""
    instructions = [record for record in records if record.kind == "instruction"]
    return frozenset(record.id for record in _split(instructions)[1])


def _split(records: Sequence[_Kind]) -> tuple[Sequence[_Kind], Sequence[_Kind]]:
    """Split into records to train on and records to measure with."""
    if len(records) < HOLDOUT_MINIMUM:
        return records, ()
    held_out = holdout(records)[1]
    spared: set[object] = set()
    sizes = Counter(map(_conversation, held_out))
    for conversation, _size in sizes.most_common():
        if sum(sizes.values()) <= _HOLDOUT_MOST * len(records):
            break
        spared.add(conversation)
        del sizes[conversation]
    held = {record.id for record in held_out if _conversation(record) not in spared}
    return [r for r in records if r.id not in held], [r for r in records if r.id in held]


def _conversation(record: Record) -> object:
    return record.conversation_id or record.prompt
