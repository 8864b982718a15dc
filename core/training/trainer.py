"""Scheduling, cancellation and progress, shared by all passes.

`ControlledTrainer` is mixed into TRL's trainers and wraps their `training_step`. Everything happens
there, once per micro-batch: wait for the scheduler (chat goes first), stop if cancelled, compute,
check the loss, report; and once a step, rehearse (`core.training.rehearsal`), in every pass that
trains a policy. An exception from `training_step` ends `train()` at once, and since versions
are saved only after it returns, a cancelled pass leaves nothing behind but its checkpoints.
"""

import math
import tempfile
import time
from typing import TYPE_CHECKING, Any

from core.events import PassName, StepReport
from core.runtime.device import device
from core.training.checkpoints import Checkpointed
from core.training.logprobs import reply_logits
from core.training.micro_batches import packed_row
from core.training.rehearsal import Rehearsal
from core.training.run_control import RunControl
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from core.config import Tuning


class PassProgress:
    """Counts micro-batches into steps and losses, and estimates the time left."""

    def __init__(self, name: PassName, run_control: RunControl) -> None:
        self.name = name
        self.losses: list[float] = []
        self.tokens = self.trained_tokens = 0
        self.drift: float | None = None
        """Divergence from the base in the latest step's rehearsal, in nats a token."""
        self.grad_norm: float | None = None
        """Of the latest weight update."""
        self.learned: tuple[int, int] | None = None
        """How many replies are learned, and of how many."""
        self._control = run_control
        self._accumulated: list[float] = []
        self.begin()

    def begin(self) -> None:
        """Start the clock, without the time for building the trainer and for the exam."""
        self._started = time.perf_counter()
        self._waited = self._control.scheduler.waited

    @property
    def between_steps(self) -> bool:
        """Whether the latest optimizer step is complete."""
        return not self._accumulated

    def state(self) -> dict[str, Any]:
        """Return the state between two steps, as JSON."""
        return {
            "losses": self.losses,
            "tokens": self.tokens,
            "trained_tokens": self.trained_tokens,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state`."""
        self.losses = list(state["losses"])
        self.tokens = state["tokens"]
        self.trained_tokens = state["trained_tokens"]
        self.begin()
        self._started -= state["seconds"]

    @property
    def seconds(self) -> float:
        """Time spent training, without waits for replies and pauses."""
        waited = self._control.scheduler.waited - self._waited
        return time.perf_counter() - self._started - waited

    def micro_batch(self, loss: float, accumulation: int, steps: int) -> None:
        """Add one micro-batch's share of its step's loss, and report.

        Raises:
            TuteeError: the loss is not finite.
        """
        if not math.isfinite(loss):
            raise TuteeError(
                _("The loss of the {name} pass became {loss} at step {step}.").format(
                    name=self.name, loss=loss, step=len(self.losses) + 1
                ),
                _("Nothing was saved. Try a lower learning rate in the settings."),
            )
        self._accumulated.append(loss)
        if len(self._accumulated) >= accumulation:
            self.losses.append(sum(self._accumulated))
            self._accumulated.clear()
        step = len(self.losses) + len(self._accumulated) / accumulation
        self._control.emit(
            StepReport(
                name=self.name,
                step=step,
                steps=steps,
                loss=self.losses[-1] if self.losses else None,
                tokens_per_second=self.tokens / self.seconds,
                eta_seconds=self.seconds / step * max(steps - step, 0),
                grad_norm=self.grad_norm,
                learned=self.learned,
            )
        )


class ControlledTrainer(Checkpointed):
    """Mixin for a TRL trainer; set `run_control` and `progress` before `controlled_train`."""

    run_control: RunControl
    progress: PassProgress
    rehearsal: Rehearsal | None = None
    rehearsed_loss = 0.0
    """The share of the rehearsal in the loss of the latest micro-batch."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the dataset unchanged: it holds only indices, which TRL would tokenize."""
        return dataset

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Any:
        if self.progress.between_steps and self.rehearsal:
            self._rehearse(model, self.rehearsal)
        with self.run_control.scheduler.micro_batch(self.run_control.cancelled):
            self.progress.tokens += inputs.pop("sample_tokens", 0)
            loss = super().training_step(model, inputs, num_items_in_batch)  # type: ignore[misc]
        self.progress.micro_batch(
            loss.item() - self.rehearsed_loss,
            self.current_gradient_accumulation_steps,  # type: ignore[attr-defined]
            self.state.max_steps,
        )
        self.request_checkpoint()
        return loss

    def _rehearse(self, model: Any, rehearsal: Rehearsal) -> None:
        """Add the gradient of the rehearsal, once in each optimizer step."""
        step = self.state.global_step
        policy = self.accelerator.unwrap_model(model)  # type: ignore[attr-defined]
        policy.train()
        with self.run_control.scheduler.micro_batch(self.run_control.cancelled):
            with self.compute_loss_context_manager():  # type: ignore[attr-defined]
                row = packed_row(rehearsal.texts(step), policy.dtype)
                self.progress.tokens += row["sample_tokens"]
                drift = rehearsal.divergence(reply_logits(policy, row), step)
            self.accelerator.backward(rehearsal.weight * drift)  # type: ignore[attr-defined]
        self.progress.drift = drift.item()

    def _clip_grad_norm(self, model: Any) -> Any:
        """Note the norm that transformers computes to clip the gradient."""
        norm = super()._clip_grad_norm(model)  # type: ignore[misc]
        self.progress.grad_norm = float(norm)
        return norm

    def controlled_train(self) -> None:
        """Call `train()`, without the output of transformers on the terminal."""
        from transformers.trainer_callback import PrinterCallback

        self.remove_callback(PrinterCallback)  # type: ignore[attr-defined]
        self.progress.begin()
        self.resumed_train()


def assemble(
    trainer_class: Any,
    config_class: Any,
    run_control: RunControl,
    progress: PassProgress,
    common: dict[str, Any],
    own: dict[str, Any],
    **parts: Any,
) -> Any:
    """Build a controlled trainer, ready for `controlled_train`.

    Args:
        common: Result of `arguments`.
        own: Arguments of this pass; they override the common ones.
        parts: Arguments of the trainer itself: model, dataset, collator, tokenizer.
    """
    # The trainer insists on a folder; nothing is written there, checkpoints have their own.
    with tempfile.TemporaryDirectory(prefix="tutee-") as scratch:
        args = config_class(output_dir=scratch, **{**common, **own})
        if args.n_gpu > 1:
            args._n_gpu = 1  # with several GPUs it would multiply the micro-batch
        trainer = trainer_class(args=args, **parts)
    trainer.run_control, trainer.progress = run_control, progress
    return trainer


def arguments(settings: "Tuning", micro_batch: int, learning_rate: float) -> dict[str, Any]:
    """Return the training arguments that all passes share, for any TRL config class.

    The trainer saves and logs nothing by itself: Tutee requests checkpoints, writes versions, and
    reports after each micro-batch.
    """
    there = device()
    return {
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": settings.batch_size // micro_batch,
        "num_train_epochs": settings.epochs,
        "learning_rate": learning_rate,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": settings.warmup,  # below 1, a share of all steps
        "seed": settings.seed,
        "use_cpu": there == "cpu",
        "bf16": there == "cuda",
        "gradient_checkpointing": False,
        "dataloader_pin_memory": there == "cuda",
        "remove_unused_columns": False,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "max_length": None,
    }
