"""How many epochs and steps a pass makes, and about how long each of its stages takes.

The times come from the earlier passes of this base on this machine, which their manifests record;
before the first one from round figures for a small model on two cores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from core.config import Tuning
from core.evaluation import report
from core.events import PassName, Stage
from core.runs.record_lengths import characters
from core.training import base_replies
from core.training.base_replies import TOKENS
from core.training.exam import HOLDOUT_REPLIES, TAUGHT_REPLIES
from core.training.rehearsal import TEXTS_PER_STEP
from core.training.reward_accuracy import CROSS_VALIDATED
from data import starter
from store.records import Record

_CHARACTERS_PER_TOKEN = 3
_PROMPT_TOKENS = 16
"""Of a general prompt, without what all of them share."""

Expected = Mapping[PassName, Mapping[Stage, float]]
"""Seconds of each stage of each pass."""


@dataclass(frozen=True)
class _Speed:
    """What earlier passes took; the defaults hold until there is one."""

    tokens_per_second: float = 300.0
    rollout_seconds: float = 10.0
    """One step of RL."""
    prepare: float = 8.0
    """Reading the records, importing TRL and building the trainer."""
    question: float = 0.3
    """One question or text of an exam."""
    base_reply: float = 0.2
    save: float = 1.0
    steps_needed: float = 1.0
    """Share of its planned steps after which SFT had learned all."""


def with_minimum_steps(settings: Tuning, samples: int, minimum_steps: int) -> Tuning:
    """Return `settings` with enough epochs to make `minimum_steps` from few samples."""
    steps_per_epoch = max(-(-samples // settings.batch_size), 1)
    epochs = max(settings.epochs, -(-minimum_steps // steps_per_epoch))
    return settings.model_copy(update={"epochs": epochs})


def optimizer_steps(samples: int, settings: Tuning) -> int:
    return -(-samples // settings.batch_size) * settings.epochs


def estimate(
    records: Mapping[PassName, Sequence[Record]],
    settings: Tuning,
    adapters: Adapters,
    *,
    parent: str = BASE,
    held_out: int = 0,
    languages: Sequence[str] = (),
) -> Expected:
    """Estimate the seconds of each stage of each pass, from earlier passes on this base.

    Args:
        records: The records that each pass but RL trains on.
        parent: The version that the first pass starts from.
        held_out: Number of held-out corrections.
        languages: Those of the prompts; questions in others are not asked.
    """
    speed = _measured(adapters)
    preference_steps = settings.preference.minimum_steps
    directory = adapters.dir if parent == BASE else adapters.path(parent) or adapters.dir
    known = report.base_figures(directory) if parent == BASE else report.figures_of(directory)
    general = _in_languages(starter.probes(), languages)
    general += _in_languages(starter.gate_prompts(), languages)
    answered = min(held_out, HOLDOUT_REPLIES) + general

    def epochs(name: PassName, minimum_steps: int) -> int:
        return with_minimum_steps(settings, len(records[name]), minimum_steps).epochs

    def learning(name: PassName, epochs: float) -> float:
        tokens = sum(map(characters, records[name])) / _CHARACTERS_PER_TOKEN
        if settings.rehearsal and name != "reward":
            steps_per_epoch = -(-len(records[name]) // settings.batch_size)
            tokens += steps_per_epoch * TEXTS_PER_STEP * (_PROMPT_TOKENS + TOKENS)
        return tokens * epochs / speed.tokens_per_second

    def stages(name: PassName, learn: float) -> Mapping[Stage, float]:
        if not (records.get(name) or name == "rl"):
            return {}
        found: dict[Stage, float] = {"prepare": speed.prepare, "learn": learn, "save": speed.save}
        if name == "reward":
            return found
        taught = min(len(records["sft"]), TAUGHT_REPLIES)
        # Those corrected have been answered before; the others may have been.
        unknown = taught / 2 if known and known.probes else taught + answered
        found |= {"before": unknown * speed.question, "after": (taught + answered) * speed.question}
        if settings.rehearsal and not (adapters.dir / base_replies.FILE).exists():
            drawn = (starter.rehearsal(), starter.gate_prompts())
            replies = sum(_in_languages(prompts, languages) for prompts in drawn)
            found["base"] = replies * speed.base_reply
        return found

    return {
        "sft": stages(
            "sft",
            learning("sft", epochs("sft", settings.sft.minimum_steps)) * speed.steps_needed,
        ),
        # The reference, and KTO's mismatched replies under both models, take a forward pass only.
        "kto": stages("kto", learning("kto", epochs("kto", preference_steps) * 5 / 3 + 1 / 3)),
        "dpo": stages("dpo", learning("dpo", epochs("dpo", preference_steps) + 1 / 3)),
        "reward": stages(
            "reward",
            learning("reward", epochs("reward", preference_steps) * _fold_factor(records)),
        ),
        "rl": stages("rl", settings.rl.steps * speed.rollout_seconds),
    }


def _in_languages(
    prompts: Sequence[starter.Probe | starter.GeneralPrompt], languages: Sequence[str]
) -> int:
    """Return how many general prompts are in the languages taught; if none are, all count."""
    return sum(prompt.language in languages for prompt in prompts) or len(prompts)


def _fold_factor(records: Mapping[PassName, Sequence[Record]]) -> int:
    """Return how much longer a reward model takes with its folds, at most."""
    # Of a hundred pairs a fifth is held out.
    return 5 if len(records["reward"]) < CROSS_VALIDATED * 4 / 5 else 1


def _measured(adapters: Adapters) -> _Speed:
    """Return what the latest passes on this base took, of each kind the latest."""
    found: dict[str, float] = {}
    for manifest in adapters.versions():
        metrics = manifest.metrics
        steps, seconds = metrics.get("steps") or 0, metrics.get("seconds") or 0.0
        if manifest.pass_name == "rl" and steps:
            found["rollout_seconds"] = seconds / steps
        elif metrics.get("tokens") and seconds:
            found["tokens_per_second"] = metrics["tokens"] / seconds
        if manifest.pass_name == "sft" and steps and metrics.get("planned_steps"):
            found["steps_needed"] = min(steps / metrics["planned_steps"], 1.0)
        spent, counts = metrics.get("stage_seconds", {}), metrics.get("stage_counts", {})
        found |= {stage: spent[stage] for stage in ("prepare", "save") if spent.get(stage)}
        for stage, name in (("after", "question"), ("base", "base_reply")):
            if counts.get(stage) and spent.get(stage):
                found[name] = spent[stage] / counts[stage]
    return _Speed(**found)
