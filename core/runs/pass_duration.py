"""How many epochs and steps a pass makes, and about how long it takes."""

from collections.abc import Mapping, Sequence

from core.adapters.registry import Adapters
from core.config import Tuning
from core.events import PassName
from core.runs.record_lengths import characters
from core.training.base_replies import TOKENS
from core.training.rehearsal import TEXTS_PER_STEP
from core.training.reward_accuracy import CROSS_VALIDATED
from store.records import Record

_TOKENS_PER_SECOND = 300.0
"""Assumed until a pass of this base has been measured."""
_CHARACTERS_PER_TOKEN = 3
_PROMPT_TOKENS = 16
"""Of a general prompt, without what all of them share."""
_SETUP_SECONDS = 6.0
"""Importing TRL and building the trainer."""
_EXAM_SECONDS = 20.0
_ROLLOUT_SECONDS = 10.0
"""One step of RL, until one has been measured."""


def with_minimum_steps(settings: Tuning, samples: int, minimum_steps: int) -> Tuning:
    """Return `settings` with enough epochs to make `minimum_steps` from few samples."""
    steps_per_epoch = max(-(-samples // settings.batch_size), 1)
    epochs = max(settings.epochs, -(-minimum_steps // steps_per_epoch))
    return settings.model_copy(update={"epochs": epochs})


def optimizer_steps(samples: int, settings: Tuning) -> int:
    return -(-samples // settings.batch_size) * settings.epochs


def estimate(
    records: Mapping[PassName, Sequence[Record]], settings: Tuning, adapters: Adapters
) -> dict[PassName, float]:
    """Estimate the seconds of each pass, from the speed of earlier passes on this base.

    Args:
        records: The records that each pass but RL trains on.
    """
    tokens_per_second, rollout_seconds = _measured(adapters)

    def seconds(name: PassName, epochs: float, exam: float = _EXAM_SECONDS) -> float:
        if not records[name]:
            return 0.0
        tokens = sum(map(characters, records[name])) / _CHARACTERS_PER_TOKEN
        if settings.rehearsal and name != "reward":
            steps_per_epoch = -(-len(records[name]) // settings.batch_size)
            tokens += steps_per_epoch * TEXTS_PER_STEP * (_PROMPT_TOKENS + TOKENS)
        return _SETUP_SECONDS + exam + tokens * epochs / tokens_per_second

    def epochs(name: PassName, minimum_steps: int) -> int:
        return with_minimum_steps(settings, len(records[name]), minimum_steps).epochs

    preference_steps = settings.preference.minimum_steps
    return {
        "sft": seconds("sft", epochs("sft", settings.sft.minimum_steps)),
        # The reference, and KTO's mismatched replies under both models, take a forward pass only.
        "kto": seconds("kto", epochs("kto", preference_steps) * 5 / 3 + 1 / 3),
        "dpo": seconds("dpo", epochs("dpo", preference_steps) + 1 / 3),
        "reward": seconds(
            "reward", epochs("reward", preference_steps) * _fold_factor(records), exam=0
        ),
        "rl": _SETUP_SECONDS + _EXAM_SECONDS + settings.rl.steps * rollout_seconds,
    }


def _fold_factor(records: Mapping[PassName, Sequence[Record]]) -> int:
    """Return how much longer a reward model takes with its folds, at most."""
    # Of a hundred pairs a fifth is held out.
    return 5 if len(records["reward"]) < CROSS_VALIDATED * 4 / 5 else 1


def _measured(adapters: Adapters) -> tuple[float, float]:
    """Return tokens per second, and seconds per step of RL, of the latest passes on this base."""
    speed, rollout = _TOKENS_PER_SECOND, _ROLLOUT_SECONDS
    for manifest in adapters.versions():
        metrics = manifest.metrics
        if manifest.pass_name == "rl":
            rollout = metrics["seconds"] / max(metrics["steps"], 1)
        elif metrics.get("tokens") and metrics.get("seconds"):
            speed = metrics["tokens"] / metrics["seconds"]
    return speed, rollout
