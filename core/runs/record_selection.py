"""Which records each pass learns, repeats and measures with.

A sticky fifth of the conversations is held out from all passes alike, but only where enough remains
to learn from and enough is held out for a figure to mean something. Nothing held out shares a
prompt or a conversation with anything that a pass of the run trains on, or that the versions it
builds on were ever trained on.

One thing changes sides: a conversation that outgrows the share that may be held out is learned from
then on, and never measures again.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from core.config import Tuning
from data.training_split import Split, group_keys, groups, holdout, mix, prompt_key
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

HOLDOUT_MINIMUM = 32
"""Below this many different prompts, in records of all kinds, nothing is held out."""
_HOLDOUT_MOST = 0.4
"""Largest share of the prompts held out. One long conversation can exceed it; then the longest are
trained on instead, or the user would wait in vain for them to be learned."""

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


def split_records(records: Sequence[Record], adapters: Adapters, parent: str) -> Split:
    """Split records of all kinds into those to train on and those to measure with.

    Args:
        records: All live records, oldest first.
        parent: The version to continue. What it or the trusted reward model was trained on is not
            held out, nor is anything with the same prompt or of the same conversation.
    """
    if _prompts(records) < HOLDOUT_MINIMUM:
        return Split(tuple(records), ())
    versions = (parent, adapters.trusted_reward_model() or BASE)
    trained = frozenset[str]().union(*(_trained(records, adapters, one) for one in versions))
    split = holdout(records, trained=trained)
    if spared := _spared(split.held_out, _HOLDOUT_MOST * _prompts(records)):
        split = holdout(records, trained=trained | spared)
    return split


def _trained(records: Iterable[Record], adapters: Adapters, version: str) -> frozenset[str]:
    """Return the keys of all that `version` and its ancestors were trained on.

    Old manifests give only the ids of records, which tell the keys of those that still exist.
    """
    ids = adapters.learned(version)
    keys = {key for record in records if record.id in ids for key in group_keys(record)}
    return adapters.trained_groups(version) | keys


def _spared(held_out: Iterable[Record], most: float) -> frozenset[str]:
    """Return the keys of the largest groups, if more than `most` prompts are held out with them."""
    held = sorted(groups(held_out), key=_prompts)
    spared: set[str] = set()
    while sum(map(_prompts, held)) > most:
        spared |= {key for record in held.pop() for key in group_keys(record)}
    return frozenset(spared)


def _prompts(records: Iterable[Record]) -> int:
    """Return how many different prompts the records have."""
    return len({prompt_key(record.prompt) for record in records})


def select(
    split: Split, kind: type[_Kind], learned: Collection[str], settings: Tuning
) -> PassRecords[_Kind]:
    """Return what a pass on records of one kind learns, repeats and measures with.

    Args:
        learned: Ids of the records that its parent has learned.
    """
    train = [record for record in split.train if isinstance(record, kind)]
    unlearned = [record for record in train if record.id not in learned]
    earlier = [record for record in train if record.id in learned]
    mixed = mix(unlearned, earlier, settings.replay, settings.seed)
    return PassRecords(
        new=mixed.new,
        replayed=mixed.replayed,
        held_out=tuple(record for record in split.held_out if isinstance(record, kind)),
        unlearned=tuple(unlearned),
    )


def select_prompts(split: Split) -> RLPrompts:
    """Return every prompt once, on the side of its records."""
    train = dict.fromkeys(record.prompt for record in split.train)
    held_out = dict.fromkeys(record.prompt for record in split.held_out)
    return RLPrompts(tuple(train), tuple(held_out))


def instructions_kept_out(records: Sequence[Record], adapters: Adapters) -> frozenset[str]:
    """Return the ids of the instructions that the next run will not learn, new as they may be.

    They are held out, or say what another record says.
    """
    learned = adapters.learned()
    split = split_records(records, adapters, adapters.active())
    new = {record.id for record in select(split, Instruction, learned, Tuning()).new}
    instructions = (record.id for record in records if record.kind == "instruction")
    return frozenset(name for name in instructions if name not in new and name not in learned)


@dataclass(frozen=True)
class InstructionCounts:
    """What becomes of the corrections, 👍 and imported replies."""

    to_learn: int
    """By the next run."""
    held_out: int
    """Only measured with."""
    learned: int
    """By the active version."""


def count_instructions(records: Sequence[Record], adapters: Adapters) -> InstructionCounts:
    """Count the live records `records` as a run from the active version would take them."""
    learned = adapters.learned()
    split = split_records(records, adapters, adapters.active())
    selected = select(split, Instruction, learned, Tuning())
    known = sum(r.kind == "instruction" and r.id in learned for r in records)
    return InstructionCounts(len(selected.new), len(selected.held_out), known)
