"""From feedback to a new version: what could be trained now, and training it.

`make_plan` looks at the records and decides; it needs no torch, so the tuning screen can show it at
once. `run` carries the plan out, pass by pass, in whatever thread it is called from, and saves one
version a pass. A plan holds immutable copies of the records, so feedback given while it runs waits
for the next one.

Left out on purpose: adopting the new adapter. Who asked for the run does that, between two replies.
"""

import gc
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version as library_version
from typing import TYPE_CHECKING, Any

from core.adapters import BASE, Adapters, Manifest, write_manifest
from core.config import Config, Tuning
from core.events import PassDone, PassName, PassStarted
from core.models import load_tokenizer
from data.masks import Sample, encode
from data.rows import holdout, with_system
from data.rows import mix as mix_of
from store.errors import TuteeError
from store.records import Instruction, Preference, Turn

if TYPE_CHECKING:
    from core.passes.result import Trained
    from core.passes.watch import Watch

PASSES: tuple[PassName, ...] = ("sft", "reward")
"""In the order they run."""

HOLDOUT_MINIMUM = 32
"""Pairs below which nothing is held out: an accuracy on a handful says nothing."""

_TOKENS_PER_SECOND = 300.0
"""Assumed until a pass of this base has been measured."""
_SETUP_SECONDS = 6.0
"""Importing TRL and building the training tree."""


@dataclass(frozen=True)
class PassPlan:
    name: PassName
    wanted: bool
    """It will run."""
    ready: bool
    """There is enough new feedback for it."""
    new: int
    """Records it has not learned yet."""
    replayed: int
    """Earlier records it will repeat."""
    minimum: int
    """New records from which it counts as ready."""
    missing: int
    """How many of them are lacking."""
    seconds: float
    """Estimated time."""


@dataclass(frozen=True)
class Plan:
    """One tuning run, complete: `run` needs nothing else."""

    passes: tuple[PassPlan, ...]
    parent: str
    """The adapter version that SFT goes on from."""
    adapters: Adapters
    settings: Tuning
    system_prompt: str
    unlearned: tuple[Instruction, ...]
    """All that the parent has not learned, duplicates included."""
    new: tuple[Instruction, ...]
    """Those of them to train on."""
    replayed: tuple[Instruction, ...]
    preferences: tuple[Preference, ...]

    @property
    def wanted(self) -> tuple[PassPlan, ...]:
        """The passes that will run, in order."""
        return tuple(p for p in self.passes if p.wanted)


def make_plan(
    instructions: Sequence[Instruction],
    preferences: Sequence[Preference],
    adapters: Adapters,
    config: Config,
    passes: frozenset[PassName] | None = None,
) -> Plan:
    """Decide what to train.

    Args:
        instructions: All live instruction records, oldest first.
        preferences: All live preference pairs, oldest first.
        passes: Run exactly these where they have a record at all, ready or not; by default those
            that are ready.
    """
    settings = config.tuning
    learned = adapters.learned()
    unlearned = [record for record in instructions if record.id not in learned]
    mix = mix_of(
        unlearned,
        [record for record in instructions if record.id in learned],
        settings.replay,
        settings.seed,
    )
    rewards = adapters.versions("reward")
    scored = set(rewards[-1].records) if rewards else set()
    new_pairs = sum(pair.id not in scored for pair in preferences)
    missing_pairs = max(settings.reward_minimum - len(preferences), 0)

    def wanted(name: PassName, ready: bool, new: int) -> bool:
        return ready if passes is None else name in passes and new > 0

    sft_ready = len(mix.new) >= settings.sft_minimum
    reward_ready = not missing_pairs and new_pairs > 0
    speed = _measured_speed(adapters)
    return Plan(
        passes=(
            PassPlan(
                name="sft",
                wanted=wanted("sft", sft_ready, len(mix.new)),
                ready=sft_ready,
                new=len(mix.new),
                replayed=len(mix.replayed),
                minimum=settings.sft_minimum,
                missing=max(settings.sft_minimum - len(mix.new), 0),
                seconds=_estimate(
                    [*mix.new, *mix.replayed],
                    _repeated(settings, len(mix.new) + len(mix.replayed)).epochs,
                    speed,
                ),
            ),
            PassPlan(
                name="reward",
                wanted=wanted("reward", reward_ready, len(preferences)),
                ready=reward_ready,
                new=new_pairs,
                replayed=len(preferences) - new_pairs,
                minimum=settings.reward_minimum,
                missing=missing_pairs,
                seconds=_estimate(preferences, settings.epochs, speed),
            ),
        ),
        parent=adapters.active(),
        adapters=adapters,
        settings=settings,
        system_prompt=config.chat.system_prompt,
        unlearned=tuple(unlearned),
        new=mix.new,
        replayed=mix.replayed,
        preferences=tuple(preferences),
    )


def run(plan: Plan, watch: "Watch", finished: Callable[[PassDone], None] | None = None) -> None:
    """Train the wanted passes of `plan`, one version each.

    Args:
        finished: Told of each pass once its version is on disk.

    Raises:
        TuteeError: no pass is wanted, or one could not be done; earlier ones are kept.
        Cancelled: `watch` was cancelled; nothing of the pass under way is kept.
    """
    if not plan.wanted:
        raise TuteeError("There is nothing to train yet.", _what_is_missing(plan))
    runs = {"sft": _run_sft, "reward": _run_reward}
    for planned in plan.wanted:
        done = runs[planned.name](plan, watch)
        # A trainer and its model point at each other, so they would stay until some collection.
        gc.collect()
        watch.emit(done)
        if finished:
            finished(done)


def _run_sft(plan: Plan, watch: "Watch") -> PassDone:
    from core.passes import sft

    tokenizer = load_tokenizer(plan.adapters.folder)

    def samples(records: Sequence[Instruction]) -> dict[str, Sample]:
        """By record; those that are too long are left out."""
        encoded = {
            record.id: encode(
                tokenizer, with_system(record.prompt, plan.system_prompt), record.completion
            )
            for record in records
        }
        return {
            record: sample
            for record, sample in encoded.items()
            if len(sample.input_ids) <= plan.settings.max_length
        }

    new, replayed = samples(plan.new), samples(plan.replayed)
    training = [*new.values(), *replayed.values()]
    _refuse_empty(training, plan.settings)
    settings = _repeated(plan.settings, len(training))
    watch.emit(PassStarted("sft", _steps(training, settings), len(new), len(replayed)))
    adapter = plan.adapters.path(plan.parent)
    trained = sft.train(plan.adapters.folder, tokenizer, adapter, training, settings, watch)
    left_out = len(plan.new) + len(plan.replayed) - len(training)
    return _save(plan, "sft", trained, _covered(plan, new), list(replayed), left_out)


def _covered(plan: Plan, trained: Container[str]) -> list[str]:
    """Ids of all records that say what a trained one says, itself included."""
    said = {(r.prompt, r.completion) for r in plan.new if r.id in trained}
    return [r.id for r in plan.unlearned if (r.prompt, r.completion) in said]


def _run_reward(plan: Plan, watch: "Watch") -> PassDone:
    from core.passes import reward

    tokenizer = load_tokenizer(plan.adapters.folder)

    def pairs(records: Sequence[Preference]) -> Iterator[tuple[str, tuple[Sample, Sample]]]:
        for record in records:
            prompt: tuple[Turn, ...] = with_system(record.prompt, plan.system_prompt)
            pair = (
                encode(tokenizer, prompt, record.chosen),
                encode(tokenizer, prompt, record.rejected),
            )
            if max(len(sample.input_ids) for sample in pair) <= plan.settings.max_length:
                yield record.id, pair

    train: Sequence[Preference] = plan.preferences
    held: Sequence[Preference] = ()
    if len(plan.preferences) >= HOLDOUT_MINIMUM:
        train, held = holdout(plan.preferences)
    training, held_out = dict(pairs(train)), dict(pairs(held))
    _refuse_empty(training, plan.settings)
    watch.emit(PassStarted("reward", _steps(training, plan.settings), len(training), 0))
    trained = reward.train(
        plan.adapters.folder,
        tokenizer,
        list(training.values()),
        list(held_out.values()),
        plan.settings,
        watch,
    )
    left_out = len(plan.preferences) - len(training) - len(held_out)
    # Held-out pairs count as seen: a later run must not ask for them again.
    return _save(plan, "reward", trained, [*training, *held_out], [], left_out)


def _save(
    plan: Plan,
    name: PassName,
    trained: "Trained",
    records: list[str],
    replayed: list[str],
    left_out: int,
) -> PassDone:
    metrics = {
        **trained.metrics,
        "tokens": trained.tokens,
        "left_out_too_long": left_out,
    }
    done = PassDone(
        name=name,
        version="",
        steps=trained.steps,
        losses=trained.losses,
        seconds=round(trained.seconds, 2),
        trained_tokens=trained.trained_tokens,
        metrics=metrics,
    )
    adapters = plan.adapters
    with adapters.new_version("adapter" if name == "sft" else "reward") as (version, directory):
        trained.save(directory)
        write_manifest(
            directory,
            Manifest(
                version=version,
                kind="adapter" if name == "sft" else "reward",
                model=adapters.folder.id,
                revision=adapters.folder.revision,
                template=sha256((trained.tokenizer.chat_template or "").encode()).hexdigest(),
                parent=plan.parent if name == "sft" else BASE,
                records=tuple(records),
                replayed=tuple(replayed),
                settings=plan.settings.model_dump(),
                libraries={
                    library: library_version(library)
                    for library in ("torch", "transformers", "peft", "trl")
                },
                metrics={
                    **metrics,
                    "steps": done.steps,
                    "losses": done.losses,
                    "seconds": done.seconds,
                    "trained_tokens": done.trained_tokens,
                },
            ),
        )
    return replace(done, version=version)


def _repeated(settings: Tuning, samples: int) -> Tuning:
    """More epochs where few samples would otherwise make too few steps to be learned."""
    steps_an_epoch = max(-(-samples // settings.batch_size), 1)
    epochs = max(settings.epochs, -(-settings.minimum_steps // steps_an_epoch))
    return settings.model_copy(update={"epochs": epochs})


def _steps(samples: Any, settings: Tuning) -> int:
    return -(-len(samples) // settings.batch_size) * settings.epochs


def _refuse_empty(samples: Any, settings: Tuning) -> None:
    if not samples:
        raise TuteeError(
            f"Every record is longer than {settings.max_length} tokens, so none can be trained on.",
            "Raise `max_length` under [tuning] in the settings, or teach with shorter replies.",
        )


def _what_is_missing(plan: Plan) -> str:
    sft, reward = plan.passes
    return (
        f"SFT has {sft.new} of {sft.minimum} new corrections or liked replies; the reward model "
        f"has {reward.minimum - reward.missing} of {reward.minimum} pairs."
    )


def _measured_speed(adapters: Adapters) -> float:
    """Tokens a second of the latest pass on this base."""
    for manifest in reversed(adapters.versions()):
        tokens, seconds = manifest.metrics.get("tokens"), manifest.metrics.get("seconds")
        if tokens and seconds:
            return float(tokens) / float(seconds)
    return _TOKENS_PER_SECOND


def _estimate(
    records: Sequence[Instruction | Preference], epochs: int, tokens_per_second: float
) -> float:
    """Seconds to train on `records`: about three characters of text make a token."""
    characters = 0
    for record in records:
        characters += sum(len(turn.content) + 12 for turn in record.prompt)
        if isinstance(record, Preference):
            characters += len(record.chosen) + len(record.rejected)
        else:
            characters += len(record.completion)
    return _SETUP_SECONDS + characters / 3 * epochs / tokens_per_second if records else 0.0
