"""Supervised fine-tuning: learn to give the replies that the user wrote or liked.

This is TRL's `SFTTrainer` with changes to how a step is computed: the samples of a micro-batch
share one packed row (`core.training.packing`), and the LM head projects only positions that carry
loss. The loss is the cross-entropy of the reply tokens, stop token included, averaged over each
reply and then over the replies of the step: a correction of one word counts as much as a liked
reply of two hundred, where TRL's average over all tokens would drown it.

The pass ends when every reply is learned (`core.training.learning`), and what must not change is
rehearsed beside it (`core.training.rehearsal`). The held-out records are evaluated a few times in a
run (`core.training.holdout_eval`).
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from core.config import Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.library_logging import spare_collector
from core.training import lora
from core.training.bf16_base import use_bf16_head
from core.training.exam import Examiner
from core.training.holdout_eval import HoldoutCurve
from core.training.learning import Learning
from core.training.logprobs import reply_logits
from core.training.memory_budget import micro_batch_tokens
from core.training.micro_batches import index_dataset, micro_batch_size, packed_row
from core.training.rehearsal import Rehearsal, RehearsalPlan
from core.training.result import Trained, train_and_examine
from core.training.run_control import RunControl
from core.training.trainer import ControlledTrainer, PassProgress, arguments, assemble
from data.tokenization import Sample


def train(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    samples: Sequence[Sample],
    settings: Tuning,
    run_control: RunControl,
    examiner: Examiner | None = None,
    rehearsal: RehearsalPlan | None = None,
) -> Trained:
    """Train a LoRA adapter on `samples`, continuing from `adapter` if one is given.

    Returns:
        The metrics hold how many samples were learned, and of how many.

    Raises:
        Cancelled: `run_control` was cancelled.
        TuteeError: the loss became infinite or not a number.
    """
    trainer = build(folder, tokenizer, adapter, samples, settings, run_control, rehearsal)
    learning = trainer.learning
    if examiner:
        tokens = learning.most * settings.batch_size * fmean(len(s.input_ids) for s in samples)
        trainer.holdout = HoldoutCurve(examiner.held_out, tokens, learning.most, run_control)
    trained = train_and_examine(trainer, examiner)
    metrics = {"samples": learning.samples, "samples_learned": len(learning.learned)}
    return replace(trained, metrics=metrics)


def build(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    samples: Sequence[Sample],
    settings: Tuning,
    run_control: RunControl,
    rehearsal: RehearsalPlan | None = None,
) -> Any:
    """Build the trainer, ready for `controlled_train`; benchmarks time its steps."""
    classes = _classes()
    base = load_model(folder)
    groups = [(sample,) for sample in samples]
    micro_batch = micro_batch_size(groups, settings.batch_size, micro_batch_tokens(folder))
    trainer = assemble(
        *classes,
        run_control,
        PassProgress("sft", run_control),
        arguments(settings, micro_batch, settings.sft.learning_rate),
        {"dataset_kwargs": {"skip_prepare_dataset": True}},
        model=lora.policy(base, adapter, settings),
        data_collator=_collate,
        train_dataset=index_dataset(len(samples)),
        processing_class=tokenizer,
    )
    use_bf16_head(trainer.model)
    if rehearsal:
        trainer.rehearsal = rehearsal.begin(trainer.model, run_control)
    steps = settings.epochs * -(-len(samples) // settings.batch_size)
    trainer.samples = samples
    trainer.learning, trainer.holdout = Learning(len(samples), steps, settings.warmup), None
    return trainer


def _collate(rows: list[dict[str, int]]) -> dict[str, Any]:
    """Return indices only: which texts share the row is known when it is computed."""
    return {"indices": [row["index"] for row in rows]}


@functools.cache
def _classes() -> tuple[Any, Any]:
    """Return trainer and config classes, defined on first use: importing TRL takes seconds."""
    import torch
    from torch.optim.lr_scheduler import LambdaLR
    from trl import SFTConfig, SFTTrainer

    class PackedSFTTrainer(ControlledTrainer, SFTTrainer):
        samples: Sequence[Sample]
        holdout: HoldoutCurve | None
        learning: Learning
        loss_is_scaled_for_ga = True  # `compute_loss` does it

        def own_state(self) -> dict[str, Any]:
            return self.learning.state()

        def restore(self, state: dict[str, Any], tensors: dict[str, Any]) -> None:
            self.learning.restore(state)

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, self.learning.rate)
            return self.lr_scheduler

        def training_step(
            self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
        ) -> Any:
            if self.progress.between_steps and self.holdout:
                policy = self.accelerator.unwrap_model(model)
                self.holdout.evaluate(policy, self.state.global_step)
            loss = super().training_step(model, inputs, num_items_in_batch)
            if self.progress.between_steps:
                self.learning.after(self.state.global_step + 1)
                self.state.max_steps = self.learning.steps
            return loss

        def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: Any) -> int:
            """Count the replies of one optimizer step, over which its loss is averaged."""
            return sum(len(inputs["indices"]) for inputs in batch_samples)

        def _rehearse(self, model: Any, rehearsal: Rehearsal) -> None:
            """Do nothing: `compute_loss` adds the texts to the row of the first micro-batch, where
            what all of them begin with is computed once."""

        def compute_loss(
            self, model: Any, inputs: Any, *_: Any, num_items_in_batch: int, **__: Any
        ) -> Any:
            policy, step = self.accelerator.unwrap_model(model), self.state.global_step
            rehearsal = self.rehearsal if self.progress.between_steps else None
            samples = [self.samples[i] for i in inputs["indices"]]
            texts = rehearsal.texts(step) if rehearsal else []
            row = packed_row([*samples, *texts], policy.dtype)
            self.progress.tokens += row["sample_tokens"]
            replies, rehearsed = reply_logits(policy, row).split(len(samples))
            logps = replies.logps()
            tokens = replies.by_reply(torch.ones_like(logps))
            losses = -replies.by_reply(logps) / tokens
            wrong = replies.by_reply((replies.logits.argmax(-1) != replies.targets).to(logps))
            self.learning.note(inputs["indices"], losses.tolist(), wrong.tolist())
            self.progress.learned = len(self.learning.learned), self.learning.samples
            self.progress.trained_tokens += len(logps)
            loss = losses.sum() / num_items_in_batch
            if rehearsal:
                drift = rehearsal.divergence(rehearsed, step)
                self.progress.drift = drift.item()
                self.rehearsed_loss = rehearsal.weight * self.progress.drift
                return loss + rehearsal.weight * drift
            self.rehearsed_loss = 0.0
            return loss

    spare_collector()
    return PackedSFTTrainer, SFTConfig
