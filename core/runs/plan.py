"""What could be trained now: the records of each pass, and whether they are enough.

A plan depends on the records and the versions alone and needs no torch, so the tuning screen shows
it at once. It holds immutable copies; feedback given during the run waits for the next one.

RL never runs unasked: it is slow, and only worth its time with a good reward model.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from core.config import Config, Tuning
from core.events import PassName, Stage
from core.runs.pass_duration import Expected, estimate
from core.runs.record_selection import (
    PassRecords,
    RLPrompts,
    select,
    select_prompts,
    split_records,
)
from core.training.reward_accuracy import CROSS_VALIDATED, why_untrusted
from data.quality.language_detection import language_of
from store.errors import TuteeError
from store.i18n import _, ngettext
from store.records import Instruction, Preference, Record, Verdict

PASSES: tuple[PassName, ...] = ("sft", "kto", "dpo", "reward", "rl")
"""In the order they run."""
RECORD_PASSES: tuple[PassName, ...] = ("sft", "kto", "dpo", "reward")
"""Those that learn from records; RL samples its own replies."""

_NEW_PAIRS, _NEW_PAIRS_SHARE = 5, 0.1
"""A new reward model takes that many unseen pairs, or that share of those it was made with."""


@dataclass(frozen=True)
class PassPlan:
    name: PassName
    wanted: bool
    """It will run."""
    ready: bool
    """It has enough to learn from."""
    new: int
    """Number of records it has not learned yet; of prompts for RL."""
    replayed: int
    """Number of learned records it will repeat."""
    held_out: int
    missing: str
    """What it lacks, in words; empty if it is ready."""
    seconds: float
    """Estimated duration."""
    stages: Mapping[Stage, float] = field(default_factory=dict)
    """Estimated duration of each stage; not in old saved runs."""


@dataclass(frozen=True)
class Plan:
    """One tuning run, complete: `core.runs.run.run` needs nothing else."""

    passes: tuple[PassPlan, ...]
    parent: str
    """The adapter version that training starts from."""
    reward_parent: str
    """The reward model that the next one starts from."""
    adapters: Adapters
    settings: Tuning
    system_prompt: str
    sft: PassRecords[Instruction]
    kto: PassRecords[Verdict]
    dpo: PassRecords[Preference]
    reward: PassRecords[Preference]
    rl: RLPrompts
    rebuild: bool = False
    """It starts from the base."""
    run: str = ""
    """Id of the run, once it has begun; its versions carry it."""

    @property
    def wanted(self) -> tuple[PassPlan, ...]:
        return tuple(planned for planned in self.passes if planned.wanted)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of all prompts."""
        prompts = (*self.rl.train, *self.rl.held_out)
        return tuple(sorted({language_of(prompt[-1].content) for prompt in prompts}))

    def records(self, name: PassName) -> PassRecords[Any]:
        """Return the records of a pass, which must not be RL."""
        by_name: dict[PassName, PassRecords[Any]] = {
            "sft": self.sft,
            "kto": self.kto,
            "dpo": self.dpo,
            "reward": self.reward,
        }
        return by_name[name]

    def of(self, name: PassName) -> PassPlan:
        return next(planned for planned in self.passes if planned.name == name)

    @property
    def expected(self) -> Expected:
        """The estimated seconds of each stage of the passes that will run."""
        return {planned.name: planned.stages for planned in self.wanted}

    def toggled(self, name: PassName) -> "Plan":
        """Return the plan with the pass `name` wanted if it was not, and vice versa.

        A pass without any record is never wanted.
        """
        before = self.of(name)
        after = replace(before, wanted=not before.wanted and before.new + before.replayed > 0)
        passes = tuple(after if planned is before else planned for planned in self.passes)
        return replace(self, passes=passes)

    def require_wanted(self) -> None:
        """Refuse a plan of which no pass will run.

        Raises:
            TuteeError: no pass is wanted; the hint says what each of them lacks.
        """
        if not self.wanted:
            missing = _("; ").join(f"{p.name}: {p.missing}" for p in self.passes if p.missing)
            title = _("There is nothing to train yet.")
            if self.parent != BASE:
                title = _("There is too little new to train since {version}.")
            raise TuteeError(
                title.format(version=self.parent),
                _("Still missing: {missing}.").format(missing=missing),
            )


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
        passes: Run exactly these, ready or not, as far as they have any record; by default the
            ready ones, without RL.
        rebuild: Start from the base and learn everything, instead of continuing the active version
            with what it has not learned.
    """
    settings = config.tuning
    parent = BASE if rebuild else adapters.active()
    learned = adapters.learned(parent)
    trusted = adapters.trusted_reward_model()
    split = split_records(records, adapters, parent)
    pairs = [r for r in (*split.train, *split.held_out) if isinstance(r, Preference)]
    # With few pairs it is cross-validated, which takes pairs that no earlier model has seen.
    onward = settings.reward.incremental and not rebuild and len(pairs) >= CROSS_VALIDATED
    reward_parent = trusted if trusted and onward else BASE
    plan = Plan(
        passes=(),
        parent=parent,
        reward_parent=reward_parent,
        adapters=adapters,
        settings=settings,
        system_prompt=config.chat.system_prompt,
        sft=select(split, Instruction, learned, settings),
        kto=select(split, Verdict, learned, settings),
        dpo=select(split, Preference, learned, settings),
        # Started from the base, it learns all pairs.
        reward=select(split, Preference, adapters.learned(reward_parent), settings),
        rl=select_prompts(split),
        rebuild=rebuild,
    )
    return replace(plan, passes=_planned_passes(plan, pairs, passes))


def _planned_passes(
    plan: Plan, pairs: Sequence[Preference], requested: Collection[PassName] | None
) -> tuple[PassPlan, ...]:
    seen = frozenset[str]() if plan.rebuild else _seen_by_reward_model(plan.adapters)
    missing = _missing(plan, pairs, seen)
    counts = _counts(plan, seen)
    trained = {name: plan.records(name).train for name in RECORD_PASSES}
    stages = estimate(
        trained,
        plan.settings,
        plan.adapters,
        parent=plan.parent,
        held_out=len(plan.sft.held_out),
        languages=plan.languages,
    )

    def wanted(name: PassName) -> bool:
        if requested is None:
            return not missing[name] and name != "rl"
        new, replayed, _held_out = counts[name]
        return name in requested and new + replayed > 0

    return tuple(
        PassPlan(
            name,
            wanted(name),
            not missing[name],
            *counts[name],
            missing[name],
            sum(stages[name].values()),
            stages[name],
        )
        for name in PASSES
    )


def _seen_by_reward_model(adapters: Adapters) -> frozenset[str]:
    """Return the ids of the pairs that the latest reward model was trained or measured on."""
    latest = adapters.versions("reward")[-1:]
    return frozenset(
        pair for one in latest for pair in (*adapters.learned(one.version), *one.measured)
    )


def _missing(plan: Plan, pairs: Sequence[Preference], seen: Collection[str]) -> dict[PassName, str]:
    """Return what each pass lacks, in words; empty where it is ready."""
    settings = plan.settings
    few_pairs = settings.preference.minimum_pairs - len(pairs)
    few_prompts = settings.rl.minimum_prompts - len(plan.rl.train)
    few = settings.sft.minimum_records - len(plan.sft.new)
    prompts = ngettext("{count} more prompt", "{count} more prompts", few_prompts)
    corrections = ngettext("{count} more correction or 👍", "{count} more corrections or 👍", few)
    return {
        "sft": _more(few, corrections),
        "kto": _missing_thumbs(plan.kto, settings.preference.minimum_thumbs),
        "dpo": _more_pairs(few_pairs) or ("" if plan.dpo.new else _("no new pairs")),
        "reward": _more_pairs(settings.reward.minimum_pairs - len(pairs))
        or _missing_new_pairs(plan, seen),
        "rl": _(", ").join(
            filter(None, (_more(few_prompts, prompts), _missing_reward_model(plan, len(pairs))))
        ),
    }


def _missing_new_pairs(plan: Plan, seen: Collection[str]) -> str:
    """Return how many pairs the next reward model lacks.

    One more pair makes hardly another model, but another chance to pass its gate by luck.
    """
    latest = plan.adapters.versions("reward")[-1:]
    unseen = sum(pair.id not in seen for pair in (*plan.reward.train, *plan.reward.held_out))
    # Those that were left out stay unseen for ever.
    unseen -= sum(one.left_out for one in latest) if seen else 0
    # When a reward model is continued, all new pairs may be held out.
    if unseen <= 0 or not plan.reward.new:
        return _("no new pairs")
    wanted = max(_NEW_PAIRS, round(_NEW_PAIRS_SHARE * len(seen))) if seen else 1
    few = wanted - unseen
    return _more(few, ngettext("{count} more new pair", "{count} more new pairs", few))


def _missing_reward_model(plan: Plan, pairs: int) -> str:
    """Return what RL lacks for a reward model to trust."""
    if plan.adapters.trusted_reward_model():
        return ""
    latest = plan.adapters.versions("reward")[-1:]
    if latest:
        return why_untrusted(latest[0].metrics)
    lacking = plan.settings.reward.minimum_pairs - pairs
    if lacking <= 0:
        return _("train a reward model first")
    return ngettext(
        "{count} more pair for a reward model", "{count} more pairs for a reward model", lacking
    ).format(count=lacking)


def _missing_thumbs(kto: PassRecords[Verdict], minimum: int) -> str:
    if not kto.new:
        return _("no new thumbs")
    thumbs = [verdict.label for verdict in kto.train]
    missing = (
        _more(minimum - thumbs.count(True), _("{count} more 👍")),
        _more(minimum - thumbs.count(False), _("{count} more 👎")),
    )
    return _(", ").join(filter(None, missing))


def _more(count: int, text: str) -> str:
    return text.format(count=count) if count > 0 else ""


def _more_pairs(count: int) -> str:
    return _more(
        count,
        ngettext("{count} more correction or pick", "{count} more corrections or picks", count),
    )


def _counts(plan: Plan, seen: Collection[str]) -> dict[PassName, tuple[int, int, int]]:
    """Return how many records of each pass are new, replayed and held out."""
    rl = plan.rl
    counts: dict[PassName, tuple[int, int, int]] = {"rl": (len(rl.train), 0, len(rl.held_out))}
    for name in RECORD_PASSES:
        records = plan.records(name)
        new = len(records.new)
        if name == "reward":
            new = sum(pair.id not in seen for pair in records.train)
        counts[name] = new, len(records.train) - new, len(records.held_out)
    return counts
