"""The training run under way: start, pause, cancel, and follow its events."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from store.i18n import _
from store.records import now
from tui.services import Services
from tui.views.training_progress import (
    TrainingProgress,
    TuningEvent,
    advance,
    describe,
    ticked,
)

if TYPE_CHECKING:
    from core.runs.plan import Plan
    from core.runs.saved_run import SavedRun


class TrainingRun:
    """Drives the tuning worker and folds its events into one `progress`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.progress: TrainingProgress | None = None
        """The run under way, or the last one."""
        self.log: list[tuple[datetime, str]] = []
        """Time and description of each step since the app started, oldest first."""

    @property
    def log_file(self) -> Path:
        """File that holds the full text of errors."""
        return self._services.paths.log_file

    @property
    def running(self) -> bool:
        return self._services.tuning.running

    def start(self, plan: "Plan") -> None:
        """Run the passes selected in `plan`."""
        self._services.tuning.start(plan)
        self._begin()

    def resume(self, saved: "SavedRun") -> None:
        self._services.tuning.resume(saved)
        self._begin()

    def _begin(self) -> None:
        at = monotonic()
        self.progress = TrainingProgress(began=at, at=at, stage_began=at)

    def tick(self) -> None:
        """Let the clock of the run under way go on."""
        if self.progress is not None:
            self.progress = ticked(self.progress, monotonic())

    def toggle_pause(self) -> None:
        if self.progress is not None and self.progress.state in ("running", "paused"):
            paused = self.progress.state == "running"
            self._services.tuning.pause(paused)
            self.progress = replace(self.progress, state="paused" if paused else "running")
            self.log.append((now(), _("Paused.") if paused else _("Resumed.")))

    def cancel(self) -> None:
        """Stop the run at its next micro-batch."""
        if self.running and self.progress is not None:
            self._services.tuning.cancel()
            self.progress = replace(self.progress, state="cancelling")

    def clear(self) -> None:
        """Forget the last run, which trained another model; one under way stays."""
        if not self.running:
            self.progress = None

    def on_event(self, event: TuningEvent) -> TrainingProgress:
        """Log an event of the worker and advance `progress` by it."""
        if line := describe(event):
            self.log.append((now(), line))
        self.progress = advance(self.progress, event, monotonic())
        return self.progress
