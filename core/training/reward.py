"""The reward model: learn to score replies from the user's preference pairs.

A LoRA and a scalar head on the same base, trained with the Bradley–Terry loss
-log σ(r(chosen) - r(rejected)) (InstructGPT, Ouyang et al., arXiv 2203.02155) and a small pull of
the rewards towards zero mean (Eisenstein et al., arXiv 2312.09244). This is TRL's `RewardTrainer`
with each micro-batch in one packed row, where both replies of a pair share their prompt. A reply is
scored at its stop token.

By default it is trained from the base on all pairs each time, because a reward model that drifts
from round to round cannot be compared with itself. Whether it can be trusted is decided by pairs it
has not seen (`core.training.reward_accuracy`), held out or, with few pairs, in turn
(`core.training.cross_validation`).
"""

import functools
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from core.config import Tuning
from core.models import quantization
from core.models.folder import ModelFolder
from core.models.loading import quantised
from core.runtime import device as devices
from core.runtime.library_logging import hush, spare_collector
from core.training import lora, packing_check
from core.training.bf16_base import use_bf16_base
from core.training.fused_lora import fuse
from core.training.memory_budget import micro_batch_tokens
from core.training.micro_batches import (
    Collator,
    collator,
    index_dataset,
    micro_batch_size,
    packed_row,
)
from core.training.packing import INPUTS
from core.training.result import Trained, train_and_examine
from core.training.reward_accuracy import RankedPair, accuracy
from core.training.run_control import RunControl
from core.training.trainer import ControlledTrainer, PassProgress, arguments, assemble
from data.tokenization import Sample
from store.errors import TuteeError
from store.i18n import _

_REPLIES_PER_ROW = 4
"""Replies scored in one packed row."""
_LEARNED = 0.05
"""Mean Bradley–Terry loss of an epoch at which its pairs are learned: margins of about 3, at which
the gradient is a tenth of the first one."""

Pair = tuple[Sample, Sample]
"""Chosen, rejected."""


def train(
    folder: ModelFolder,
    tokenizer: Any,
    earlier: Path | None,
    pairs: Sequence[Pair],
    held_out: Sequence[Pair],
    settings: Tuning,
    run_control: RunControl,
    groups: Sequence[Hashable] | None = None,
    out_of_fold: Sequence[RankedPair] = (),
) -> Trained:
    """Train a reward model on `pairs`; the metrics hold its accuracy on unseen pairs.

    Args:
        earlier: Folder of the reward model to continue, or None.
        groups: The group of each of `held_out`; by default each is independent.
        out_of_fold: Pairs that other models ranked, measured together with `held_out`.

    Raises:
        Cancelled: `run_control` was cancelled.
        TuteeError: the loss became infinite or not a number.
    """
    trainer = build(folder, tokenizer, earlier, pairs, settings, run_control)
    trained = train_and_examine(trainer)
    scores = score_pairs(trainer.model, held_out, run_control)
    measured = accuracy([*out_of_fold, *ranked(held_out, scores, groups)])
    return replace(trained, metrics={"train_accuracy": trainer.accuracy(), **measured})


def measure(
    model: Any,
    held_out: Sequence[Pair],
    run_control: RunControl,
    groups: Sequence[Hashable] | None = None,
) -> dict[str, Any]:
    """Return how well a reward model ranks unseen pairs, and whether it passes; {} without any.

    Args:
        groups: The group of each pair; by default each is independent.
    """
    scores = score_pairs(model, held_out, run_control)
    return accuracy(ranked(held_out, scores, groups))


def ranked(
    pairs: Sequence[Pair],
    scores: Sequence[tuple[float, float]],
    groups: Sequence[Hashable] | None = None,
) -> list[RankedPair]:
    """Combine pairs with their rewards, as `score_pairs` returns them."""
    groups = range(len(pairs)) if groups is None else groups
    return [
        RankedPair(*rewards, _reply_tokens(chosen), _reply_tokens(rejected), group)
        for (chosen, rejected), rewards, group in zip(pairs, scores, groups, strict=True)
    ]


def _reply_tokens(sample: Sample) -> int:
    return len(sample.input_ids) - sample.reply_start


class Scorer:
    """Scores replies with a saved reward model.

    Raises:
        TuteeError: `directory` holds no reward model.
    """

    def __init__(self, folder: ModelFolder, directory: Path, run_control: RunControl) -> None:
        self._control = run_control
        self._model = _saved(load_base(folder, seed=0), directory).eval()

    def __call__(self, samples: Sequence[Sample]) -> list[float]:
        """Return the reward of each reply."""
        import torch

        rewards: list[float] = []
        for start in range(0, len(samples), _REPLIES_PER_ROW):
            with (
                self._control.scheduler.micro_batch(self._control.cancelled),
                torch.inference_mode(),
            ):
                row = packed_row(samples[start : start + _REPLIES_PER_ROW], self._model.dtype)
                rewards += score_row(self._model, row).tolist()
        return rewards


def build(
    folder: ModelFolder,
    tokenizer: Any,
    earlier: Path | None,
    pairs: Sequence[Pair],
    settings: Tuning,
    run_control: RunControl,
) -> Any:
    """Build the trainer, ready for `controlled_train`."""
    classes = _classes()
    base = load_base(folder, settings.seed)
    packing_check.require_separate_samples(base)
    if earlier is None:
        model = lora.with_lora(base, settings, task_type="SEQ_CLS", modules_to_save=["score"])
    else:
        model = _saved(base, earlier, is_trainable=True)
    use_bf16_base(model)
    fuse(model)
    micro_batch = micro_batch_size(pairs, settings.batch_size, micro_batch_tokens(folder))
    trainer = assemble(
        *classes,
        run_control,
        PassProgress("reward", run_control),
        arguments(settings, micro_batch, settings.reward.learning_rate),
        {"center_rewards_coefficient": 0.01},
        model=model,
        data_collator=_without_labels(collator(pairs, base.dtype)),
        train_dataset=index_dataset(len(pairs)),
        processing_class=tokenizer,
    )
    trainer.ranked_right = []
    trainer.pair_losses = []
    trainer.ends_when_learned = False
    return trainer


def _saved(base: Any, directory: Path, *, is_trainable: bool = False) -> Any:
    """Return `base` with the LoRA and the head of the reward model in `directory`."""
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(base, directory, is_trainable=is_trainable)
    except Exception as error:  # PEFT fails on a damaged folder in many ways
        raise TuteeError(
            _("The reward model in {folder} could not be loaded: {why}").format(
                folder=directory, why=error
            ),
            _("Train a new one."),
        ) from error


def score_row(model: Any, row: dict[str, Any]) -> Any:
    """Return (S) the rewards of the samples in one packed row."""
    base = model.get_base_model()
    device = next(base.parameters()).device
    inputs = {name: row[name].to(device) for name in INPUTS}
    hidden = base.base_model(**inputs, use_cache=False).last_hidden_state
    return base.score(hidden[0, row["ends"].to(device)])[:, 0].float()


def score_pairs(
    model: Any, pairs: Sequence[Pair], run_control: RunControl
) -> list[tuple[float, float]]:
    """Return the rewards of chosen and rejected, each pair scheduled like a micro-batch."""
    import torch

    model.eval()
    scores = []
    for pair in pairs:
        with run_control.scheduler.micro_batch(run_control.cancelled), torch.inference_mode():
            chosen, rejected = score_row(model, packed_row(pair, model.dtype)).tolist()
        scores.append((chosen, rejected))
    return scores


def load_base(folder: ModelFolder, seed: int) -> Any:
    """Load the base with a newly initialized scalar head in place of its LM head."""
    hush()
    devices.disable_cudnn_attention()
    from transformers import AutoModelForSequenceClassification, set_seed

    set_seed(seed)
    four_bit = quantised(folder).four_bit
    model = AutoModelForSequenceClassification.from_pretrained(
        folder.path,
        num_labels=1,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        **(quantization.options() if four_bit else {"dtype": devices.dtype()}),
    )
    return quantization.settled(model if four_bit else model.to(devices.device()))


def _without_labels(collate: Collator) -> Collator:
    """Drop the token labels, by whose number the trainer would scale this loss."""

    def collate_pairs(rows: list[dict[str, int]]) -> dict[str, Any]:
        row = collate(rows)
        del row["labels"]
        return row

    return collate_pairs


@functools.cache
def _classes() -> tuple[Any, Any]:
    """Return trainer and config classes, defined on first use: importing TRL takes seconds."""
    import torch.nn.functional as F  # noqa: N812
    from trl import RewardConfig, RewardTrainer

    class PackedRewardTrainer(ControlledTrainer, RewardTrainer):
        def compute_loss(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> Any:
            rewards = score_row(self.accelerator.unwrap_model(model), inputs)
            chosen, rejected = rewards[0::2], rewards[1::2]
            losses = -F.logsigmoid(chosen - rejected)
            loss = losses.mean()
            loss += self.args.center_rewards_coefficient * ((chosen + rejected) ** 2).mean()
            self.ranked_right += (chosen > rejected).tolist()
            self.pair_losses += losses.tolist()
            self.progress.trained_tokens += len(rewards)
            return loss

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(*args, **kwargs)
            last = self.pair_losses[-len(self.train_dataset) :]
            if self.ends_when_learned and len(last) == len(self.train_dataset):
                self.control.should_training_stop |= fmean(last) < _LEARNED
            return loss

        def own_state(self) -> dict[str, Any]:
            return {"ranked_right": self.ranked_right}

        def restore(self, state: dict[str, Any], tensors: dict[str, Any]) -> None:
            self.ranked_right = list(state["ranked_right"])

        def accuracy(self) -> float:
            """Return the share of pairs ranked right in the last epoch, each before its step."""
            last = self.ranked_right[-len(self.train_dataset) :]
            return sum(last) / len(last)

    spare_collector()
    return PackedRewardTrainer, RewardConfig
