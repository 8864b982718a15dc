"""What could be trained now: which records each pass would learn, and whether they are enough.

A plan is decided from the records and the versions alone, without torch, so the tuning screen shows
it at once. It holds immutable copies, so feedback given while it runs waits for the next one.

Held out (a sticky fifth, by conversation) is only where there are enough records for the rest to be
learned from and the held-out ones to say something. RL is never run unasked: it is slow, and only
worth its time where the reward model is good.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Generic, TypeVar

from core.adapters.registry import BASE, Adapters
from core.config import Config, Tuning
from core.events import PassName
from core.training.rehearsal import TEXTS_PER_STEP
from data import starter
from data.quality.language_detection import language_of
from data.training_split import holdout, mix
from store.i18n import _
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

PASSES: tuple[PassName, ...] = ("sft", "kto", "dpo", "reward", "rl")
"""In the order they run."""

HOLDOUT_MINIMUM = 32
"""Records of a kind below which nothing is held out: a figure from a handful says nothing."""
_HOLDOUT_MOST = 0.4
"""A long conversation can make most of what is held out; above this share the longest are trained
on instead, or a person would wait in vain for them to be learned."""

_TOKENS_PER_SECOND = 300.0
"""Assumed until a pass of this base has been measured."""
_SETUP_SECONDS = 6.0
"""Importing TRL and building the training tree."""
_EXAM_SECONDS = 20.0
"""Asking the new version the exam."""
_ROLLOUT_SECONDS = 10.0
"""A step of RL, until one has been measured."""

_Kind = TypeVar("_Kind", Instruction, Preference, Verdict)


@dataclass(frozen=True)
class Selection(Generic[_Kind]):
    """The records of one pass, each part oldest first."""

    new: tuple[_Kind, ...] = ()
    """To be learned, without those that say the same."""
    replayed: tuple[_Kind, ...] = ()
    """Learned before, repeated so that they are not forgotten."""
    held_out: tuple[_Kind, ...] = ()
    """Never trained on, to measure with."""
    unlearned: tuple[_Kind, ...] = ()
    """All that count as learned once `new` is, those that say the same included."""

    @property
    def train(self) -> tuple[_Kind, ...]:
        return self.new + self.replayed


Prompt = tuple[ChatMessage, ...]


@dataclass(frozen=True)
class Prompts:
    """What RL draws replies to."""

    train: tuple[Prompt, ...] = ()
    held_out: tuple[Prompt, ...] = ()


@dataclass(frozen=True)
class PassPlan:
    name: PassName
    wanted: bool
    """It will run."""
    ready: bool
    """There is enough for it."""
    new: int
    """Records it has not learned yet; prompts for RL."""
    replayed: int
    """Earlier records it will repeat."""
    held_out: int
    missing: str
    """What is lacking, in words; empty where it is ready."""
    seconds: float
    """Estimated time."""


@dataclass(frozen=True)
class Plan:
    """One tuning run, complete: `core.runs.run.run` needs nothing else."""

    passes: tuple[PassPlan, ...]
    parent: str
    """The adapter version that training goes on from."""
    reward_parent: str
    """The reward model that the next one goes on from."""
    adapters: Adapters
    settings: Tuning
    system_prompt: str
    sft: Selection[Instruction]
    kto: Selection[Verdict]
    dpo: Selection[Preference]
    reward: Selection[Preference]
    rl: Prompts
    rebuild: bool = False
    """It begins from the base."""

    @property
    def wanted(self) -> tuple[PassPlan, ...]:
        """The passes that will run, in order."""
        return tuple(p for p in self.passes if p.wanted)

    @property
    def languages(self) -> tuple[str, ...]:
        """Those of all prompts."""
        prompts = (*self.rl.train, *self.rl.held_out)
        return tuple(sorted({language_of(prompt[-1].content) for prompt in prompts}))

    def of(self, name: PassName) -> PassPlan:
        return next(planned for planned in self.passes if planned.name == name)

    def toggled(self, name: PassName) -> "Plan":
        """With the pass `name` wanted if it was not, and the other way round.

        A pass with no record at all is never wanted.
        """
        before = self.of(name)
        after = replace(before, wanted=not before.wanted and before.new + before.replayed > 0)
        passes = tuple(after if planned is before else planned for planned in self.passes)
        return replace(self, passes=passes)


def make_plan(
    records: Sequence[Record],
    adapters: Adapters,
    config: Config,
    passes: frozenset[PassName] | None = None,
    *,
    rebuild: bool = False,
) -> Plan:
    """Decide what to train.

    Args:
        records: All live records, oldest first.
        passes: Run exactly these where they have a record at all, ready or not; by default those
            that are ready, without RL.
        rebuild: Begin from the base and learn everything, instead of going on from the active
            version with what it has not learned.
    """
    settings = config.tuning
    learned = frozenset[str]() if rebuild else adapters.learned()
    instructions = [r for r in records if isinstance(r, Instruction)]
    verdicts = [r for r in records if isinstance(r, Verdict)]
    preferences = [r for r in records if isinstance(r, Preference)]
    sft = select(instructions, learned, settings)
    kto = select(verdicts, learned, settings)
    dpo = select(preferences, learned, settings)
    judge = adapters.trusted_reward_model()
    reward_parent = judge if judge and settings.reward.incremental and not rebuild else BASE
    # From the base it learns all pairs, and `new` are those that the last one has not seen.
    reward = select(preferences, adapters.learned(reward_parent), settings)
    seen = frozenset[str]() if rebuild else _seen(adapters)
    prompts = _prompts(instructions, verdicts, preferences)

    lacking: dict[PassName, str] = {
        "sft": _too_few(
            len(sft.new), settings.sft.minimum_records, _("{have} of {wanted} corrections or 👍")
        ),
        "kto": _thumbs_missing(kto, settings.preference.minimum_thumbs),
        "dpo": _too_few(
            len(preferences), settings.preference.minimum_pairs, _("{have} of {wanted} pairs")
        )
        or ("" if dpo.new else _("no new pairs")),
        "reward": _too_few(
            len(preferences), settings.reward.minimum_pairs, _("{have} of {wanted} pairs")
        )
        # Going on from the last one, all that is new may be held out.
        or ("" if reward.new and any(r.id not in seen for r in preferences) else _("no new pairs")),
        "rl": _too_few(
            len(prompts.train), settings.rl.minimum_prompts, _("{have} of {wanted} prompts")
        )
        or ("" if judge else _("no reward model to trust yet")),
    }
    counts: dict[PassName, tuple[int, int, int]] = {
        "sft": _counts(sft),
        "kto": _counts(kto),
        "dpo": _counts(dpo),
        "reward": (
            sum(r.id not in seen for r in reward.train),
            sum(r.id in seen for r in reward.train),
            len(reward.held_out),
        ),
        "rl": (len(prompts.train), 0, len(prompts.held_out)),
    }
    seconds = _estimates(sft, kto, dpo, reward, settings, adapters)

    def wanted(name: PassName) -> bool:
        if passes is None:
            return not lacking[name] and name != "rl"
        new, replayed, _held_out = counts[name]
        return name in passes and new + replayed > 0

    return Plan(
        passes=tuple(
            PassPlan(
                name, wanted(name), not lacking[name], *counts[name], lacking[name], seconds[name]
            )
            for name in PASSES
        ),
        parent=BASE if rebuild else adapters.active(),
        reward_parent=reward_parent,
        adapters=adapters,
        settings=settings,
        system_prompt=config.chat.system_prompt,
        sft=sft,
        kto=kto,
        dpo=dpo,
        reward=reward,
        rl=prompts,
        rebuild=rebuild,
    )


def select(records: Sequence[_Kind], learned: frozenset[str], settings: Tuning) -> Selection[_Kind]:
    """Split `records` into what a pass learns, repeats and measures with."""
    train, held_out = _split(records)
    unlearned = [record for record in train if record.id not in learned]
    chosen = mix(
        unlearned,
        [record for record in train if record.id in learned],
        settings.replay,
        settings.seed,
    )
    return Selection(
        new=chosen.new,
        replayed=chosen.replayed,
        # What was learned before there was enough to hold out can measure nothing any more.
        held_out=tuple(record for record in held_out if record.id not in learned),
        unlearned=tuple(unlearned),
    )


def _seen(adapters: Adapters) -> frozenset[str]:
    """Ids of the pairs that the latest reward model was trained on or measured with."""
    latest = adapters.versions("reward")[-1:]
    return frozenset(
        pair for one in latest for pair in (*adapters.learned(one.version), *one.measured)
    )


def held_out(records: Iterable[Record]) -> frozenset[str]:
    """The ids of the instructions that only measure what was learned, as things stand."""
    instructions = [record for record in records if record.kind == "instruction"]
    return frozenset(record.id for record in _split(instructions)[1])


def _split(records: Sequence[_Kind]) -> tuple[Sequence[_Kind], Sequence[_Kind]]:
    """Into records to train on and records to measure with."""
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
    return (
        [record for record in records if record.id not in held],
        [record for record in records if record.id in held],
    )


def _conversation(record: Record) -> object:
    return record.conversation_id or record.prompt


def _prompts(
    instructions: Sequence[Instruction],
    verdicts: Sequence[Verdict],
    preferences: Sequence[Preference],
) -> Prompts:
    """Every prompt once; those of held-out records stay held out."""
    train: dict[Prompt, None] = {}
    held: dict[Prompt, None] = {}
    for train_side, held_side in (_split(instructions), _split(verdicts), _split(preferences)):
        train |= dict.fromkeys(record.prompt for record in train_side)
        held |= dict.fromkeys(record.prompt for record in held_side)
    return Prompts(tuple(prompt for prompt in train if prompt not in held), tuple(held))


def _counts(selection: Selection[_Kind]) -> tuple[int, int, int]:
    return len(selection.new), len(selection.replayed), len(selection.held_out)


def _too_few(have: int, minimum: int, said: str) -> str:
    return said.format(have=have, wanted=minimum) if have < minimum else ""


def _thumbs_missing(kto: Selection[Verdict], minimum: int) -> str:
    if not kto.new:
        return _("no new thumbs")
    thumbs = [verdict.label for verdict in kto.train]
    liked, disliked = thumbs.count(True), thumbs.count(False)
    lacking = (
        _too_few(liked, minimum, _("{have} of {wanted} 👍")),
        _too_few(disliked, minimum, _("{have} of {wanted} 👎")),
    )
    return _(", ").join(filter(None, lacking))


def repeated(settings: Tuning, samples: int, minimum_steps: int) -> Tuning:
    """More epochs where few samples would otherwise make too few steps to be learned."""
    steps_an_epoch = max(-(-samples // settings.batch_size), 1)
    epochs = max(settings.epochs, -(-minimum_steps // steps_an_epoch))
    return settings.model_copy(update={"epochs": epochs})


def steps(samples: int, settings: Tuning) -> int:
    """Optimiser steps of a pass over `samples`."""
    return -(-samples // settings.batch_size) * settings.epochs


# -- how long it takes -----------------------------------------------------------------------------


def _estimates(
    sft: Selection[Instruction],
    kto: Selection[Verdict],
    dpo: Selection[Preference],
    reward: Selection[Preference],
    settings: Tuning,
    adapters: Adapters,
) -> dict[PassName, float]:
    speed, rollout = _measured(adapters)

    def policy(records: Sequence[Record], epochs: float) -> float:
        return _seconds(records, epochs, speed, _EXAM_SECONDS)

    def preferring(records: Sequence[Record]) -> int:
        return repeated(settings, len(records), settings.preference.minimum_steps).epochs

    learning = repeated(settings, len(sft.train), settings.sft.minimum_steps)
    return {
        "sft": policy(sft.train, learning.epochs) + _rehearsing(sft.train, learning, speed),
        # The reference, and the mismatched replies of KTO, are forward passes only.
        "kto": policy(kto.train, preferring(kto.train) * 4 / 3 + 2 / 3),
        "dpo": policy(dpo.train, preferring(dpo.train) + 1 / 3),
        "reward": _seconds(reward.train, preferring(reward.train), speed, 0),
        "rl": _SETUP_SECONDS + _EXAM_SECONDS + settings.rl.steps * rollout,
    }


def _measured(adapters: Adapters) -> tuple[float, float]:
    """Tokens a second of the latest pass on this base, and seconds of a step of RL."""
    speed, rollout = _TOKENS_PER_SECOND, _ROLLOUT_SECONDS
    for manifest in adapters.versions():
        figures = manifest.metrics
        if manifest.pass_name == "rl":
            rollout = figures["seconds"] / max(figures["steps"], 1)
        elif figures.get("tokens") and figures.get("seconds"):
            speed = figures["tokens"] / figures["seconds"]
    return speed, rollout


def _seconds(records: Sequence[Record], epochs: float, speed: float, exam: float) -> float:
    """Time to train on `records`: about three characters of text make a token."""
    if not records:
        return 0.0
    characters = sum(map(_characters, records))
    return _SETUP_SECONDS + exam + characters / 3 * epochs / speed


def _rehearsing(records: Sequence[Record], settings: Tuning, speed: float) -> float:
    """Time that the general texts take beside `records`."""
    if not (records and settings.sft.rehearsal):
        return 0.0
    mean = fmean(map(_characters, starter.rehearsal()))
    return mean / 3 * TEXTS_PER_STEP * steps(len(records), settings) / speed


def _characters(record: Record) -> int:
    prompt = sum(len(turn.content) + 12 for turn in record.prompt)
    return prompt + sum(map(len, _replies(record)))


def _replies(record: Record) -> Iterable[str]:
    if isinstance(record, Preference):
        return (record.chosen, record.rejected)
    return (record.completion,)
