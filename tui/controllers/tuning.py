"""Training without widgets: the next run, the one under way, an interrupted one, and versions."""

from typing import TYPE_CHECKING

from core.events import TuningCancelled, TuningDone, TuningFailed
from tui.controllers.interrupted_run import InterruptedRun
from tui.controllers.training_plan import TrainingPlanner
from tui.controllers.training_run import TrainingRun
from tui.controllers.versions import VersionController
from tui.services import Services
from tui.views.training_progress import TrainingProgress, TuningEvent, learned

if TYPE_CHECKING:
    from core.runs.plan import Plan


class TuningController:
    """Owns the four parts of training, and every step that concerns more than one of them."""

    def __init__(self, services: Services) -> None:
        self.planner = TrainingPlanner(services)
        self.run = TrainingRun(services)
        self.interrupted = InterruptedRun(services)
        self.versions = VersionController(services)

    def start(self, plan: "Plan") -> None:
        """Start a run, which replaces an interrupted one."""
        self.run.start(plan)
        self.interrupted.saved = None

    def resume(self) -> None:
        """Continue the interrupted run.

        Raises:
            TuteeError: it became unusable and had to be dropped.
        """
        self.interrupted.find()
        if self.interrupted.saved is not None:
            self.run.resume(self.interrupted.saved)
            self.interrupted.saved = None

    def on_event(self, event: TuningEvent) -> TrainingProgress:
        """Follow the worker: activate a finished adapter, keep a failed run for resuming.

        An adapter that passed its gate is complete, even if the run ended before its last pass.
        """
        progress = self.run.on_event(event)
        if isinstance(event, TuningDone) and event.adapter:
            self.versions.activate(event.adapter, learned(event.passes))
        elif isinstance(event, TuningCancelled | TuningFailed) and event.adapter:
            self.versions.activate(event.adapter, learned(event.finished))
        if isinstance(event, TuningFailed):
            self.interrupted.find()
        return progress

    def on_model_ready(self, version: str) -> None:
        """A model has loaded, with `version` active."""
        self.run.clear()
        self.versions.on_active(version)

    def new_records(self) -> int | None:
        """Count the instructions the active version has yet to learn; None while loading."""
        return self.planner.new_records(self.versions.learned)
