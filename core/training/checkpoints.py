"""Where a pass has got to, written down often enough that little is lost when it is interrupted.

A checkpoint is transformers' own (adapter, optimiser, scheduler, random states), written every few
steps into the folder that the pass is given. What Tutee counts beside it goes into a last file,
which is put there at once and only when the rest is on the disk: a checkpoint without it is not
whole, and is passed over. A pass that goes on from one makes the same weights, bit for bit, as one
that was never interrupted.

A checkpoint is only an insurance: where one cannot be written, the pass goes on without it.
"""

import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from core.events import PassResumed
from store.errors import TuteeError
from store.storage import replace_file

EVERY_STEPS = 10
EVERY_SECONDS = 60.0
KEPT = 2
"""The newest may not be whole yet."""
_MARK, _TENSORS = "tutee.json", "tutee.safetensors"

log = logging.getLogger(__name__)


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint in `folder`."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{_MARK}")]
    return max(whole, key=_step, default=None)


def steps_done(folder: Path) -> int:
    """Optimiser steps up to the newest whole checkpoint in `folder`."""
    found = newest(folder)
    return _step(found) if found else 0


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


class Checkpointed:
    """Mixin for a TRL trainer with a `run_control` and a `progress`; see `core.training.trainer`.

    The trainer asks `control.should_save` after each step and calls `_save_checkpoint` itself.
    """

    run_control: Any
    progress: Any
    state: Any
    control: Any
    args: Any
    model: Any
    _saved_step = 0
    _saved_at = 0.0

    def kept(self) -> dict[str, Any]:
        """What this pass counts beside its progress, as JSON; `restore` takes it back."""
        return {}

    def kept_tensors(self) -> dict[str, Any]:
        """What of it is too large for that."""
        return {}

    def restore(self, kept: dict[str, Any], tensors: dict[str, Any]) -> None:
        """Take back what `kept` and `kept_tensors` gave."""

    def resumed_train(self) -> None:
        """`train()`, from the run's newest checkpoint where there is one."""
        folder = self.run_control.checkpoints
        found = newest(folder) if folder else None
        if folder:
            self.args.output_dir = str(folder)
            self.args.save_total_limit = KEPT
        if found:
            self._take_up(found)
        self._saved_step, self._saved_at = len(self.progress.losses), time.monotonic()
        self.train(resume_from_checkpoint=str(found) if found else None)  # type: ignore[attr-defined]

    def ask_for_checkpoint(self) -> None:
        """Have the trainer save after the step under way if it is time.

        To be called after each micro-batch.
        """
        whole = self.progress.between_steps and not self.control.should_training_stop
        if self.run_control.checkpoints is None or not whole:
            return
        step = self.state.global_step + 1
        self.control.should_save = (
            step - self._saved_step >= EVERY_STEPS
            or time.monotonic() - self._saved_at >= EVERY_SECONDS
            # The exam that follows the last step takes longer than many a step.
            or step == self.state.max_steps
        )

    def _take_up(self, checkpoint: Path) -> None:
        from safetensors.torch import load_file

        written = json.loads((checkpoint / _MARK).read_text(encoding="utf-8"))
        self.progress.restore(written["progress"])
        self.run_control.emit(
            PassResumed(self.progress.name, written["steps"], tuple(self.progress.losses))
        )
        tensors = checkpoint / _TENSORS
        self.restore(written["own"], load_file(tensors) if tensors.exists() else {})

    # -- what the trainer calls --------------------------------------------------------------------

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        from safetensors.torch import save_file

        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        self._saved_step, self._saved_at = self.state.global_step, time.monotonic()
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
            if tensors := self.kept_tensors():
                save_file(tensors, folder / _TENSORS)
            _make_private(folder)
            written = {
                "progress": self.progress.kept(),
                "own": self.kept(),
                "steps": self.state.max_steps,
            }
            replace_file(folder / _MARK, json.dumps(written).encode())
        except (OSError, RuntimeError, SafetensorError, TuteeError) as error:
            # torch has no exception of its own for a disk that is full.
            log.warning("No checkpoint at step %s: %s", self.state.global_step, error)
            shutil.rmtree(folder, ignore_errors=True)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # Without the tokenizer, and without looking for the base's embeddings.
        self.model.save_pretrained(output_dir, save_embedding_layers=False)
        (Path(str(output_dir)) / "README.md").unlink(missing_ok=True)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """TRL would write one beside every checkpoint."""


def _make_private(folder: Path) -> None:
    """For the person alone, and on the disk."""
    folder.chmod(0o700)
    for path in folder.iterdir():
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())
