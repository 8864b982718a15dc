"""What a pass hands back: the trained tree, to be saved as a version, and the run's figures."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.passes.watch import Progress


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
    metrics: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, trainer: Any, progress: Progress, **metrics: Any) -> "Trained":
        return cls(
            model=trainer.model,
            tokenizer=trainer.processing_class,
            steps=len(progress.losses),
            losses=tuple(round(loss, 4) for loss in progress.losses),
            seconds=progress.seconds,
            tokens=progress.tokens,
            trained_tokens=progress.trained_tokens,
            metrics=metrics,
        )

    def save(self, directory: Path) -> None:
        """Write the adapter and the tokenizer, in safetensors and as PEFT reads them."""
        self.model.save_pretrained(directory, save_embedding_layers=False)
        self.tokenizer.save_pretrained(directory)
        (directory / "README.md").unlink(missing_ok=True)
