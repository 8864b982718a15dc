"""Supervised fine-tuning: learn to give the replies that the user wrote or liked.

This is TRL's `SFTTrainer` with two changes to how a step is computed, none to what it learns: the
samples of a micro-batch share one packed row (`core.training.packing`), and the LM head projects
only positions that carry loss. The loss is the cross-entropy of the reply tokens, stop token
included, averaged over all reply tokens of the step, as in TRL. With general texts to rehearse, a
further term keeps the policy near the base on them (`core.training.rehearsal`).

The held-out records are evaluated a few times in a run (`core.training.holdout_eval`). A run of
medium length ends with the mean weights of its second half (`core.training.weight_averaging`).
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.config import Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.library_logging import spare_collector
from core.training import lora
from core.training.exam import Examiner
from core.training.holdout_eval import HoldoutCurve
from core.training.logprobs import reply_logits
from core.training.memory_budget import micro_batch_tokens
from core.training.micro_batches import collator, index_dataset, micro_batch_size
from core.training.rehearsal import Rehearsal
from core.training.result import Trained, train_and_examine
from core.training.run_control import RunControl
from core.training.trainer import ControlledTrainer, PassProgress, arguments, assemble
from core.training.weight_averaging import WeightAverage
from data.tokenization import Sample

SCHEDULE = "warmup_stable_decay"
"""Learning rate schedule of transformers (WSD; Hu et al., arXiv 2404.06395)."""
LONG_DECAY = 20
"""Decay steps that make averaging unnecessary; see `first_averaged_step`."""


def decay(steps: int) -> dict[str, Any]:
    """Return scheduler kwargs that lower the learning rate to zero over the last third of `steps`.

    A constant rate leaves the model where its last few samples pushed it. Decay from the beginning
    spends too much of a short run on steps too small to matter.
    """
    return {"num_decay_steps": steps // 3, "decay_type": "linear"}


def first_averaged_step(steps: int, least: int) -> int:
    """Return the first step included in the weight average: half-way through the run.

    Not before `least`, because the first steps have not learned enough. With `LONG_DECAY`, only the
    final weights count: so long a decay already averages out the order of the samples.
    """
    return steps if decay(steps)["num_decay_steps"] >= LONG_DECAY else max(steps // 2, least)


def train(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    samples: Sequence[Sample],
    settings: Tuning,
    run_control: RunControl,
    examiner: Examiner | None = None,
    rehearsed: Sequence[Sample] = (),
) -> Trained:
    """Train a LoRA adapter on `samples`, continuing from `adapter` if one is given.

    Args:
        rehearsed: General texts on which to keep the policy near the base.

    Raises:
        Cancelled: `run_control` was cancelled.
        TuteeError: the loss became infinite or not a number.
    """
    trainer = build(folder, tokenizer, adapter, samples, settings, run_control, rehearsed)
    if examiner:
        tokens = settings.epochs * sum(len(sample.input_ids) for sample in samples)
        steps = _steps(samples, settings)
        trainer.holdout = HoldoutCurve(examiner.held_out, tokens, steps, run_control)
    return train_and_examine(trainer, examiner)


def build(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    samples: Sequence[Sample],
    settings: Tuning,
    run_control: RunControl,
    rehearsed: Sequence[Sample] = (),
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
        {"dataset_kwargs": {"skip_prepare_dataset": True}, "lr_scheduler_type": SCHEDULE},
        model=lora.policy(base, adapter, settings),
        data_collator=collator(groups, base.dtype),
        train_dataset=index_dataset(len(groups)),
        processing_class=tokenizer,
    )
    trainer.rehearsal = trainer.holdout = None
    if rehearsed and settings.sft.rehearsal:
        trainer.rehearsal = Rehearsal(trainer.model, rehearsed, settings.sft.rehearsal, run_control)
    first = first_averaged_step(_steps(samples, settings), settings.sft.minimum_steps)
    trainer.average = WeightAverage(trainer.model, first)
    return trainer


def _steps(samples: Sequence[Sample], settings: Tuning) -> int:
    return settings.epochs * -(-len(samples) // settings.batch_size)


@functools.cache
def _classes() -> tuple[Any, Any]:
    """Return trainer and config classes, defined on first use: importing TRL takes seconds."""
    from trl import SFTConfig, SFTTrainer

    class PackedSFTTrainer(ControlledTrainer, SFTTrainer):
        rehearsal: Rehearsal | None
        holdout: HoldoutCurve | None
        average: WeightAverage

        def controlled_train(self) -> None:
            super().controlled_train()
            self.average.add(self.state.global_step)
            self.average.apply()

        def own_state(self) -> dict[str, Any]:
            return {"averaged": self.average.state()[0]}

        def own_tensors(self) -> dict[str, Any]:
            return self.average.state()[1]

        def restore(self, state: dict[str, Any], tensors: dict[str, Any]) -> None:
            self.average.restore(state["averaged"], tensors)

        def training_step(
            self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
        ) -> Any:
            if self.progress.between_steps:
                # The previous step is complete now.
                self.average.add(self.state.global_step)
                if self.holdout:
                    policy = self.accelerator.unwrap_model(model)
                    self.holdout.evaluate(policy, self.state.global_step)
            return super().training_step(model, inputs, num_items_in_batch)

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.args.lr_scheduler_kwargs = decay(num_training_steps)
            return super().create_scheduler(num_training_steps, optimizer)

        def compute_loss(
            self, model: Any, inputs: Any, *_: Any, num_items_in_batch: Any, **__: Any
        ) -> Any:
            policy = self.accelerator.unwrap_model(model)
            logps = reply_logits(policy, inputs).logps()
            self.progress.trained_tokens += len(logps)
            loss = -logps.sum() / num_items_in_batch
            # Once per optimizer step, however many micro-batches it has.
            if self.rehearsal and self.progress.between_steps:
                loss = loss + self.rehearsal.loss(policy, self.state.global_step)
                self.progress.tokens += self.rehearsal.tokens(self.state.global_step)
            return loss

    spare_collector()
    return PackedSFTTrainer, SFTConfig
