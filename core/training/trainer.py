"""What every pass shares with the world outside: its turn, its cancel flag, its progress.

`ControlledTrainer` is mixed into TRL's trainers in front of their `training_step`. Everything
happens there, once a micro-batch: wait for the turn (chat goes first), stop if cancelled, compute,
check the loss, report. Raising out of `training_step` ends `train()` at once, and since versions
are saved only after it returns, a cancelled pass leaves nothing behind but its checkpoints.
"""

import math
import tempfile
import time
from typing import TYPE_CHECKING, Any

from core.events import PassName, StepReport
from core.runtime.device import device
from core.training.checkpoints import Checkpointed
from core.training.run_control import RunControl
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from core.config import Tuning


class Progress:
    """Counts micro-batches into steps, losses and an estimate of what is left."""

    def __init__(self, name: PassName, run_control: RunControl) -> None:
        self.name = name
        self.losses: list[float] = []
        self.tokens = 0
        self.trained_tokens = 0
        self._control = run_control
        self._accumulated: list[float] = []
        self.begin()

    def begin(self) -> None:
        """Start the clock: building the trainer and the exam before it are no training."""
        self._started = time.perf_counter()
        self._waited = self._control.scheduler.waited

    @property
    def between_steps(self) -> bool:
        """The latest optimiser step is whole."""
        return not self._accumulated

    def kept(self) -> dict[str, Any]:
        """All of it as JSON, between two steps; `restore` takes it back."""
        return {
            "losses": self.losses,
            "tokens": self.tokens,
            "trained_tokens": self.trained_tokens,
            "seconds": self.seconds,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on from what `kept` gave."""
        self.losses = list(kept["losses"])
        self.tokens = kept["tokens"]
        self.trained_tokens = kept["trained_tokens"]
        self.begin()
        self._started -= kept["seconds"]

    @property
    def seconds(self) -> float:
        """Of training; what was waited for replies, or paused, is not in it."""
        waited = self._control.scheduler.waited - self._waited
        return time.perf_counter() - self._started - waited

    def micro_batch(self, loss: float, accumulation: int, steps: int) -> None:
        """Take in one micro-batch's share of its step's loss, and report.

        Raises:
            TuteeError: the loss is not a number any more.
        """
        if not math.isfinite(loss):
            raise TuteeError(
                _("The loss of the {name} pass became {loss} at step {step}.").format(
                    name=self.name, loss=loss, step=len(self.losses) + 1
                ),
                _("Nothing was kept. Try a lower learning rate in the settings."),
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
            )
        )


class ControlledTrainer(Checkpointed):
    """Mixin for a TRL trainer; set `run_control` and `progress` before `controlled_train`."""

    run_control: RunControl
    progress: Progress

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """As it is: TRL would tokenise it, but it only says which samples go into a row."""
        return dataset

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Any:
        with self.run_control.scheduler.micro_batch(self.run_control.cancelled):
            self.progress.tokens += inputs.pop("sample_tokens")
            loss = super().training_step(model, inputs, num_items_in_batch)  # type: ignore[misc]
        self.progress.micro_batch(
            loss.item(),
            self.current_gradient_accumulation_steps,  # type: ignore[attr-defined]
            self.state.max_steps,
        )
        self.ask_for_checkpoint()
        return loss

    def controlled_train(self) -> None:
        """`train()` without TRL's and transformers' own words on the terminal."""
        from transformers.trainer_callback import PrinterCallback

        self.remove_callback(PrinterCallback)  # type: ignore[attr-defined]
        self.progress.begin()
        self.resumed_train()


def assemble(
    trainer_class: Any,
    config_class: Any,
    run_control: RunControl,
    progress: Progress,
    common: dict[str, Any],
    own: dict[str, Any],
    **parts: Any,
) -> Any:
    """A watched trainer, ready for `controlled_train`.

    Args:
        common: What `arguments` gave.
        own: Arguments of this pass, which go before the common ones.
        parts: What the trainer is made of: model, data, collator, tokenizer.
    """
    # Nothing is written there (checkpoints have their own), but the trainer insists on a folder.
    with tempfile.TemporaryDirectory(prefix="tutee-") as scratch:
        args = config_class(output_dir=scratch, **{**common, **own})
        if args.n_gpu > 1:
            args._n_gpu = 1  # of several cards it would make one batch of as many micro-batches
        trainer = trainer_class(args=args, **parts)
    trainer.run_control, trainer.progress = run_control, progress
    return trainer


def arguments(settings: "Tuning", micro_batch: int, learning_rate: float) -> dict[str, Any]:
    """The training arguments all passes have in common, for any TRL config class.

    Nothing is saved or logged by the trainer of its own accord: Tutee says when it is time for a
    checkpoint, writes versions, and reports once a micro-batch.
    """
    there = device()
    return {
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": settings.batch_size // micro_batch,
        "num_train_epochs": settings.epochs,
        "learning_rate": learning_rate,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 0.1,
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
