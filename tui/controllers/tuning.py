"""Training without widgets: the next run, the one under way, an interrupted one, and versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.events import PassDone, TuningCancelled, TuningDone, TuningFailed, TuningStarted
from store.i18n import _, join_sentences
from tui.controllers.interrupted_run import InterruptedRun
from tui.controllers.training_plan import TrainingPlanner
from tui.controllers.training_run import TrainingRun
from tui.controllers.versions import VersionController
from tui.services import Services
from tui.views.training_progress import TrainingProgress, TuningEvent, learned

if TYPE_CHECKING:
    from core.runs.plan import Plan


@dataclass(frozen=True)
class Outcome:
    """What a run made."""

    version: str
    learned: str
    """How much of what was taught it has learned, in a sentence; may be empty."""
    used: bool
    """The chat uses it."""

    @property
    def sentence(self) -> str:
        """The line in the chat, with the keys that act on it."""
        ready = _("{version} is ready.").format(version=self.version)
        keys = {
            (True, True): _("{key:chat.report} shows them, {key:chat.settle} undoes."),
            (True, False): _("{key:chat.report} shows them, {key:chat.settle} uses it."),
            (False, True): _("{key:chat.report} shows its report, {key:chat.settle} undoes."),
            (False, False): _("{key:chat.report} shows its report, {key:chat.settle} uses it."),
        }
        return join_sentences((ready, self.learned, keys[bool(self.learned), self.used]))


class TuningController:
    """Owns the four parts of training, and every step that concerns more than one of them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.outcome: Outcome | None = None
        """What the last run made, until the user has dealt with it."""
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
        match event:
            case TuningStarted():
                self.outcome = None
            case TuningDone(passes, str(version)):
                self._made(version, passes)
            case TuningCancelled(passes, str(version)) | TuningFailed(_, passes, str(version)):
                self._made(version, passes)
        if isinstance(event, TuningFailed):
            self.interrupted.find()
        return progress

    def _made(self, version: str, passes: Sequence[PassDone]) -> None:
        """Use a new version, unless the user wants to be asked first."""
        asks = self._services.config.tuning.activate == "ask"
        self.outcome = Outcome(version, learned(passes, named=False), used=not asks)
        if not asks:
            self.versions.activate(version)

    def settle(self) -> str:
        """Do what the outcome offers: use its version, or go back to the one before it.

        Returns:
            The version that the chat will use; empty without an outcome.
        """
        outcome, self.outcome = self.outcome, None
        if outcome is None:
            return ""
        if not outcome.used:
            self.versions.activate(outcome.version)
            return outcome.version
        return self.versions.roll_back()

    def on_model_ready(self, version: str) -> None:
        """A model has loaded, with `version` active."""
        if not self.run.running:
            self.outcome = None
        self.run.clear()
        self.versions.on_active(version)

    def new_records(self) -> int | None:
        """Count the instructions the active version has yet to learn; None while loading."""
        return self.planner.new_records(self.versions.learned)
