"""Supervised fine-tuning: learn to give the replies the person wrote or liked.

TRL's `SFTTrainer` with two changes in how a step is computed, none in what it learns: the samples
of a micro-batch share one packed row (`core.training.packing`), and the LM head projects only the
positions that carry loss. Cross-entropy over the reply's tokens and its stop token, averaged over
all of the step's reply tokens as TRL does. Where there are general texts to rehearse, a further
term keeps the policy near the base on them (`core.training.rehearsal`).

A few times in a run the held-out records are looked at (`core.training.holdout_eval`). A run that
is neither short nor long ends with the mean of its second half (`core.training.weight_averaging`).
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
from core.training.holdout_eval import HeldOut
from core.training.logprobs import of_replies
from core.training.memory_budget import micro_batch_tokens
from core.training.micro_batches import collator, index_dataset, micro_batch_size
from core.training.rehearsal import Rehearsal
from core.training.result import Trained, learn
from core.training.run_control import RunControl
from core.training.trainer import ControlledTrainer, Progress, arguments, assemble
from core.training.weight_averaging import Average
from data.tokenization import Sample

SCHEDULE = "warmup_stable_decay"
FALLING = 20
"""Steps over which a falling rate averages by itself; see `averaged_from`."""


def schedule(steps: int) -> dict[str, Any]:
    """How the learning rate ends in a run of so many steps: down to zero over the last third.

    A rate that stays leaves the model where its last few samples pushed it: after 47 film reviews
    it called 178 of 300 unseen ones positive where 150 are, and 140 after a rate that went down.
    Going down from the beginning spends too much of a short run on steps too small to matter.
    """
    return {"num_decay_steps": steps // 3, "decay_type": "linear"}


def averaged_from(steps: int, least: int) -> int:
    """The step of a run of so many from which its weights are averaged: half of it.

    Not before `least`, because the first steps have not learned enough; and only the last weights
    where the rate comes down over so many steps that where they end hangs on chance no more.
    """
    return steps if schedule(steps)["num_decay_steps"] >= FALLING else max(steps // 2, least)


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
    """Train a LoRA adapter on `samples`, going on from `adapter` where one is given.

    Args:
        rehearsed: General texts on which the policy is kept near the base.

    Raises:
        Cancelled: `run_control` was cancelled.
        TuteeError: the loss became infinite or not a number.
    """
    trainer = build(folder, tokenizer, adapter, samples, settings, run_control, rehearsed)
    if examiner:
        tokens = settings.epochs * sum(len(sample.input_ids) for sample in samples)
        steps = _steps(samples, settings)
        trainer.held_out = HeldOut(examiner.held_out, tokens, steps, run_control)
    return learn(trainer, examiner)


def build(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    samples: Sequence[Sample],
    settings: Tuning,
    run_control: RunControl,
    rehearsed: Sequence[Sample] = (),
) -> Any:
    """The trainer, ready for `controlled_train`; apart from `train` so that a step can be timed."""
    trainer_class, config_class = _classes()
    base = load_model(folder)
    groups = [(sample,) for sample in samples]
    micro_batch = micro_batch_size(groups, settings.batch_size, micro_batch_tokens(folder))
    trainer = assemble(
        trainer_class,
        config_class,
        run_control,
        Progress("sft", run_control),
        arguments(settings, micro_batch, settings.sft.learning_rate),
        {"dataset_kwargs": {"skip_prepare_dataset": True}, "lr_scheduler_type": SCHEDULE},
        model=lora.policy(base, adapter, settings),
        data_collator=collator(groups, base.dtype),
        train_dataset=index_dataset(len(groups)),
        processing_class=tokenizer,
    )
    trainer.rehearsal = (
        Rehearsal(trainer.model, rehearsed, settings.sft.rehearsal, run_control)
        if rehearsed and settings.sft.rehearsal
        else None
    )
    trainer.held_out = None
    first = averaged_from(_steps(samples, settings), settings.sft.minimum_steps)
    trainer.average = Average(trainer.model, first)
    return trainer


def _steps(samples: Sequence[Sample], settings: Tuning) -> int:
    return settings.epochs * -(-len(samples) // settings.batch_size)


@functools.cache
def _classes() -> tuple[Any, Any]:
    """The trainer and its config, defined on first use: importing TRL takes seconds."""
    from trl import SFTConfig, SFTTrainer

    class PackedSFTTrainer(ControlledTrainer, SFTTrainer):
        rehearsal: Rehearsal | None
        held_out: HeldOut | None
        average: Average

        def controlled_train(self) -> None:
            super().controlled_train()
            self.average.take(self.state.global_step)
            self.average.put()

        def kept(self) -> dict[str, Any]:
            return {"averaged": self.average.kept()[0]}

        def kept_tensors(self) -> dict[str, Any]:
            return self.average.kept()[1]

        def restore(self, kept: dict[str, Any], tensors: dict[str, Any]) -> None:
            self.average.restore(kept["averaged"], tensors)

        def training_step(
            self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
        ) -> Any:
            if self.progress.between_steps:
                # Of the step before, which is over now.
                self.average.take(self.state.global_step)
                if self.held_out:
                    policy = self.accelerator.unwrap_model(model)
                    self.held_out.look(policy, self.state.global_step)
            return super().training_step(model, inputs, num_items_in_batch)

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.args.lr_scheduler_kwargs = schedule(num_training_steps)
            return super().create_scheduler(num_training_steps, optimizer)

        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            policy = self.accelerator.unwrap_model(model)
            logps = of_replies(policy, inputs).logps()
            self.progress.trained_tokens += len(logps)
            loss = -logps.sum() / num_items_in_batch
            # Once an optimiser step, however many micro-batches it has.
            if self.rehearsal and self.progress.between_steps:
                loss = loss + self.rehearsal.loss(policy, self.state.global_step)
                self.progress.tokens += self.rehearsal.tokens(self.state.global_step)
            return loss

    spare_collector()
    return PackedSFTTrainer, SFTConfig
