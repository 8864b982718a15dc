"""Checkpoints of a training pass, frequent enough that an interruption loses little.

A checkpoint is the one of transformers (adapter, optimizer, scheduler, random states), written
every few steps to the pass's folder. Tutee's own state goes into a marker file, which is written
atomically and only when everything else is on the disk: a checkpoint without it is incomplete and
ignored. A pass resumed from a checkpoint makes bit for bit the same weights as an uninterrupted
one.

Checkpoints are only insurance: a pass continues without one that cannot be written.

Left out on purpose: transformers' `ExportableState` callbacks. Restoring them makes new objects
from JSON alone, while the state here belongs to objects that also hold the run's control and the
model; and the marker file is needed in any case.
"""

import json
import logging
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from core.events import PassResumed
from store.errors import TuteeError
from store.storage import replace_file

EVERY_STEPS = 10
EVERY_SECONDS = 30.0
"""A checkpoint is due every so many steps or seconds; the first one after the first step."""
KEPT = 2
"""Checkpoints kept: the newest may be incomplete."""
_MARKER, _TENSORS = "tutee.json", "tutee.safetensors"

log = logging.getLogger(__name__)


def newest(folder: Path) -> Path | None:
    """Return the newest complete checkpoint in `folder`."""
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{_MARKER}")]
    return max(complete, key=_step, default=None)


def steps_done(folder: Path) -> int:
    """Return the optimizer steps up to the newest complete checkpoint in `folder`."""
    found = newest(folder)
    return _step(found) if found else 0


def steps_planned(folder: Path) -> int:
    """Return the optimizer steps of the whole pass, as the newest checkpoint has it; 0 if none."""
    found = newest(folder)
    if found is None:
        return 0
    with suppress(OSError, ValueError, KeyError):
        return int(json.loads((found / _MARKER).read_text(encoding="utf-8"))["steps"])
    return 0


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


class Checkpointed:
    """Mixin for a TRL trainer with `run_control` and `progress`; see `core.training.trainer`.

    The trainer checks `control.should_save` after each step and calls `_save_checkpoint` itself.
    """

    run_control: Any
    progress: Any
    state: Any
    control: Any
    args: Any
    model: Any
    _saved_at = 0.0

    def own_state(self) -> dict[str, Any]:
        """Return the JSON state of this pass, apart from its progress."""
        return {}

    def own_tensors(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any], tensors: dict[str, Any]) -> None:
        """Restore the results of `own_state` and `own_tensors`."""

    def resumed_train(self) -> None:
        """Call `train()`, from the newest checkpoint if there is one."""
        folder = self.run_control.checkpoints
        found = newest(folder) if folder else None
        if folder:
            self.args.output_dir = str(folder)
            self.args.save_total_limit = KEPT
        if found:
            self._restore_from(found)
        self._saved_at = time.monotonic()
        self.train(resume_from_checkpoint=str(found) if found else None)  # type: ignore[attr-defined]

    def request_checkpoint(self) -> None:
        """Have the trainer save after this step if that is due; call after each micro-batch."""
        complete = self.progress.between_steps and not self.control.should_training_stop
        if self.run_control.checkpoints is None or not complete:
            return
        step = self.state.global_step + 1
        self.control.should_save = (
            step == 1
            or step % EVERY_STEPS == 0
            or time.monotonic() - self._saved_at >= EVERY_SECONDS
            # The exam after the last step takes longer than most steps.
            or step == self.state.max_steps
        )

    def _restore_from(self, checkpoint: Path) -> None:
        from safetensors.torch import load_file

        written = json.loads((checkpoint / _MARKER).read_text(encoding="utf-8"))
        self.progress.restore(written["progress"])
        self.run_control.emit(
            PassResumed(self.progress.name, written["steps"], tuple(self.progress.losses))
        )
        tensors = checkpoint / _TENSORS
        self.restore(written["own"], load_file(tensors) if tensors.exists() else {})

    # -- called by the trainer ---------------------------------------------------------------------

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        from safetensors.torch import save_file

        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        self._saved_at = time.monotonic()
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
            if tensors := self.own_tensors():
                save_file(tensors, folder / _TENSORS)
            _make_private(folder)
            written = {
                "progress": self.progress.state(),
                "own": self.own_state(),
                "steps": self.state.max_steps,
            }
            replace_file(folder / _MARKER, json.dumps(written).encode())
        except (OSError, RuntimeError, SafetensorError, TuteeError) as error:
            # torch raises a plain RuntimeError when the disk is full.
            log.warning("No checkpoint at step %s: %s", self.state.global_step, error)
            shutil.rmtree(folder, ignore_errors=True)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # Without the tokenizer, and without a search for the base's embeddings.
        self.model.save_pretrained(output_dir, save_embedding_layers=False)
        (Path(str(output_dir)) / "README.md").unlink(missing_ok=True)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none; TRL would put one into every checkpoint."""


def _make_private(folder: Path) -> None:
    """Make `folder` readable by its owner only, and flush it to the disk."""
    folder.chmod(0o700)
    for path in folder.iterdir():
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())
