"""The result of a pass: the trained model, to be saved as a version, and the run's figures."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.training.exam import Examiner, Figures


@dataclass(frozen=True)
class Trained:
    model: Any
    """A PEFT model with one adapter, `default`."""
    tokenizer: Any
    steps: int
    losses: tuple[float, ...]
    """Mean loss of each optimizer step."""
    seconds: float
    tokens: int
    """Tokens of all samples seen, prompts and replies; shared prefixes count for each sample."""
    trained_tokens: int
    """Tokens that carried loss."""
    before: Figures | None = None
    """Exam before the training, if there was one."""
    after: Figures | None = None
    base: Figures | None = None
    """What the base answers to the probes of the exam."""
    metrics: dict[str, Any] = field(default_factory=dict)

    def save(self, directory: Path) -> None:
        """Write the adapter, as PEFT reads it, and the tokenizer."""
        self.model.save_pretrained(directory, save_embedding_layers=False)
        self.tokenizer.save_pretrained(directory)
        (directory / "README.md").unlink(missing_ok=True)


def train_and_examine(trainer: Any, examiner: Examiner | None = None) -> Trained:
    """Train, with an exam before and after if there is an examiner.

    Raises:
        Cancelled: the trainer's `run_control` was cancelled.
        TuteeError: the loss became infinite or not a number.
    """
    before = examiner.before(trainer.model) if examiner else None
    base = examiner.base(trainer.model) if examiner else None
    trainer.run_control.enter("learn")
    trainer.controlled_train()
    progress = trainer.progress
    seconds = progress.seconds
    after = examiner.after(trainer.model) if examiner else None
    return Trained(
        model=trainer.model,
        tokenizer=trainer.processing_class,
        steps=len(progress.losses),
        losses=tuple(round(loss, 4) for loss in progress.losses),
        seconds=seconds,
        tokens=progress.tokens,
        trained_tokens=progress.trained_tokens,
        before=before,
        after=after,
        base=base,
    )
