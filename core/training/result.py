"""What a pass hands back: the trained tree, to be saved as a version, and the run's figures."""

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
    """Mean loss of each optimiser step."""
    seconds: float
    tokens: int
    """Tokens of all samples seen, prompts and replies, each sample counted whole."""
    trained_tokens: int
    """Those of them that carried loss."""
    before: Figures | None = None
    """What the model answered before its training, where it was examined."""
    after: Figures | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    """Further figures of the pass's own."""

    def save(self, directory: Path) -> None:
        """Write the adapter and the tokenizer, in safetensors and as PEFT reads them."""
        self.model.save_pretrained(directory, save_embedding_layers=False)
        self.tokenizer.save_pretrained(directory)
        (directory / "README.md").unlink(missing_ok=True)


def learn(trainer: Any, examiner: Examiner | None = None) -> Trained:
    """Train, and examine the model before and after where there is an examiner.

    Raises:
        Cancelled: the trainer's run_control was cancelled.
        TuteeError: the loss became infinite or not a number.
    """
    before = examiner.before(trainer.model) if examiner else None
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
    )
