"""Measure a reward model that has too few pairs to hold enough of them out.

With fewer than a hundred pairs a held-out fifth says little, and costs what could be learned. So
the pairs are split into five folds, each is ranked by a model that was trained on the other four,
and the final model is trained on all of them. Its figure is that of all pairs, none of which was
ranked by a model that had seen it, its conversation or its prompt. Each of the five has learned
somewhat less than the final one, so the figure errs on the low side.

The folds cost at most four times the final model. They usually cost less, because a fold ends when
its pairs are learned: the gradient of the Bradley–Terry loss is nearly zero then, and further steps
would hardly change a ranking. A run that was interrupted goes on with the fold it was in.

Left out on purpose: scoring with the base's features and a linear head, which would be faster but
measures another model; and folds on top of an earlier reward model, which has seen their pairs.
"""

import gc
import json
import logging
import random
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from core.config import Tuning
from core.events import Event, StepReport
from core.models.folder import ModelFolder
from core.training import reward
from core.training.result import Trained
from core.training.reward import Pair
from core.training.reward_accuracy import RankedPair
from core.training.run_control import RunControl
from store.errors import TuteeError
from store.storage import private_folder, replace_file

_FOLDS = 5
_FILE = "folds.json"

log = logging.getLogger(__name__)

Fold = list[int]
"""Indices of pairs that are ranked by a model trained on the other pairs."""


class _RankedFold(NamedTuple):
    scores: list[tuple[float, float]]
    """Rewards of chosen and rejected."""
    steps: int
    tokens: int
    trained_tokens: int
    seconds: float


def split(groups: Sequence[Hashable], seed: int) -> list[Fold]:
    """Split pairs into folds of about the same size, each group whole; none if it is one group.

    Args:
        groups: The group of each pair.
    """
    members: defaultdict[Hashable, Fold] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    wholes = list(members.values())
    random.Random(seed).shuffle(wholes)
    wholes.sort(key=len, reverse=True)
    folds: list[Fold] = [[] for _ in range(min(_FOLDS, len(wholes)))]
    for whole in wholes:
        min(folds, key=len).extend(whole)
    return [sorted(fold) for fold in folds] if len(folds) > 1 else []


def fold_steps(pairs: int, folds: Sequence[Fold], settings: Tuning) -> list[int]:
    """Return the most optimizer steps that each fold of `pairs` pairs makes."""
    return [-(-(pairs - len(fold)) // settings.batch_size) * settings.epochs for fold in folds]


def train(
    folder: ModelFolder,
    tokenizer: Any,
    earlier: Path | None,
    pairs: Sequence[Pair],
    held_out: Sequence[Pair],
    groups: Sequence[Hashable],
    folds: Sequence[Fold],
    settings: Tuning,
    run_control: RunControl,
) -> Trained:
    """Train a reward model on `pairs`; the metrics hold its accuracy on `held_out` and all folds.

    Args:
        earlier: Folder of the reward model to continue, if there are no folds; or None.
        groups: The group of each of `pairs`, then of each of `held_out`.
        folds: Result of `split` for `pairs`; empty where `held_out` is enough.

    Raises:
        Cancelled: `run_control` was cancelled.
        TuteeError: the loss became infinite or not a number.
    """
    steps = fold_steps(len(pairs), folds, settings)
    own = -(-len(pairs) // settings.batch_size) * settings.epochs
    total = sum(steps) + own
    kept = _Kept(run_control.checkpoints)
    ranked: list[RankedPair] = []
    for number, fold in enumerate(folds):
        if number == len(kept.folds):
            during = _within(run_control, sum(steps[:number]), total, shows_loss=False)
            kept.add(_rank_fold(folder, tokenizer, pairs, fold, settings, during))
        of_fold = [groups[i] for i in fold]
        ranked += reward.ranked([pairs[i] for i in fold], kept.folds[number].scores, of_fold)
    trained = reward.train(
        folder,
        tokenizer,
        earlier,
        pairs,
        held_out,
        settings,
        _within(run_control, sum(steps), total),
        groups[len(pairs) :],
        ranked,
    )
    return replace(
        trained,
        steps=trained.steps + sum(fold.steps for fold in kept.folds),
        tokens=trained.tokens + sum(fold.tokens for fold in kept.folds),
        trained_tokens=trained.trained_tokens + sum(fold.trained_tokens for fold in kept.folds),
        seconds=trained.seconds + sum(fold.seconds for fold in kept.folds),
        metrics=trained.metrics | ({"folds": len(folds)} if folds else {}),
    )


def _rank_fold(
    folder: ModelFolder,
    tokenizer: Any,
    pairs: Sequence[Pair],
    fold: Fold,
    settings: Tuning,
    run_control: RunControl,
) -> _RankedFold:
    """Rank the pairs in `fold` by a model trained on the others."""
    left_out = set(fold)
    others = [pair for index, pair in enumerate(pairs) if index not in left_out]
    trainer = reward.build(folder, tokenizer, None, others, settings, run_control)
    trainer.ends_when_learned = True
    trainer.controlled_train()
    scores = reward.score_pairs(trainer.model, [pairs[i] for i in fold], run_control)
    made = trainer.progress
    # Trainer and model refer to each other; the next fold must not find them in memory.
    del trainer
    gc.collect()
    return _RankedFold(scores, len(made.losses), made.tokens, made.trained_tokens, made.seconds)


def _within(
    run_control: RunControl, before: int, total: int, *, shows_loss: bool = True
) -> RunControl:
    """Return the control of one part of the pass, whose progress is reported as that of all.

    Args:
        before: Steps of the parts before it.
        total: Steps of all parts.
        shows_loss: Report its loss, and use the pass's checkpoints; only the final model does.
    """
    step_seconds = 0.0

    def emit(event: Event) -> None:
        nonlocal step_seconds
        if isinstance(event, StepReport):
            if left := event.steps - event.step:
                step_seconds = event.eta_seconds / left
            step = before + event.step
            event = replace(
                event,
                step=step,
                steps=total,
                loss=event.loss if shows_loss else None,
                eta_seconds=step_seconds * (total - step),
            )
        run_control.emit(event)

    checkpoints = run_control.checkpoints if shows_loss else None
    return replace(run_control, emit=emit, checkpoints=checkpoints)


class _Kept:
    """The folds that are done, on the disk where the pass has checkpoints."""

    def __init__(self, checkpoints: Path | None) -> None:
        self._path = checkpoints / _FILE if checkpoints else None
        self.folds: list[_RankedFold] = []
        if self._path and self._path.exists():
            written = json.loads(self._path.read_text(encoding="utf-8"))
            self.folds = [_RankedFold(**fold) for fold in written]

    def add(self, fold: _RankedFold) -> None:
        self.folds.append(fold)
        if self._path is None:
            return
        written = json.dumps([fold._asdict() for fold in self.folds])
        try:
            private_folder(self._path.parent)
            replace_file(self._path, written.encode())
        except (OSError, TuteeError) as error:
            log.warning("A fold was not kept: %s", error)
