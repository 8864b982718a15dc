"""The thread that trains: one run at a time, beside the chat (`core.workers.chat`)."""

from collections.abc import Callable
from threading import Thread

from core.events import (
    PassDone,
    TuningCancelled,
    TuningDone,
    TuningFailed,
    TuningStarted,
    latest_activatable,
)
from core.runs import run
from core.runs.plan import Plan
from core.runs.saved_run import SavedRun
from core.runtime.failures import as_tutee_error
from core.runtime.scheduler import Cancelled, Scheduler
from core.training.run_control import RunControl
from core.workers.chat import Emit
from store.errors import TuteeError
from store.i18n import _

Work = Callable[[RunControl, run.OnPassDone], None]


class TuningWorker:
    """Runs one training run at a time, each in a thread of its own."""

    def __init__(self, emit: Emit, scheduler: Scheduler) -> None:
        self._emit = emit
        self._scheduler = scheduler
        self._run_control = RunControl(emit, scheduler)
        self._thread: Thread | None = None
        self.running = False
        """A run is under way; false again before its last event is emitted."""

    def start(self, plan: Plan) -> None:
        """Start the run of `plan`; an interrupted earlier run is discarded.

        Raises:
            TuteeError: a run is under way.
        """
        self._start(lambda run_control, finished: run.run(plan, run_control, finished), plan)

    def resume(self, saved: SavedRun) -> None:
        """Resume an interrupted run; `core.runs.saved_run.unfinished` finds it.

        Raises:
            TuteeError: a run is under way.
        """
        self._start(
            lambda run_control, finished: run.resume(saved, run_control, finished), saved.plan
        )

    def _start(self, work: Work, plan: Plan) -> None:
        if self.running:
            raise TuteeError(
                _("Tuning is already under way."), _("Wait for it, or cancel it first.")
            )
        self._run_control = RunControl(self._emit, self._scheduler)
        self._scheduler.pause(False)
        self.running = True
        self._thread = Thread(
            target=self._run, args=(work, plan, self._run_control), name="tutee-tuning", daemon=True
        )
        self._thread.start()

    def pause(self, paused: bool) -> None:
        """Pause after the current micro-batch, or resume."""
        self._scheduler.pause(paused)

    def cancel(self) -> None:
        """Stop at the next micro-batch; nothing of the current pass is kept."""
        self._run_control.cancel()

    def close(self, timeout: float) -> bool:
        """Stop, and return whether the thread ended within `timeout` seconds.

        The current run can be resumed.
        """
        self._run_control.interrupt()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self, work: Work, plan: Plan, run_control: RunControl) -> None:
        names = tuple(planned.name for planned in plan.wanted)
        self._emit(TuningStarted(names, plan.expected))
        outcome = self._outcome(work, run_control)
        self.running = False
        self._emit(outcome)

    def _outcome(
        self, work: Work, run_control: RunControl
    ) -> TuningDone | TuningCancelled | TuningFailed:
        finished: list[PassDone] = []
        try:
            work(run_control, finished.append)
        except Cancelled:
            adapter = None if run_control.interrupted else latest_activatable(finished)
            return TuningCancelled(tuple(finished), adapter)
        except BaseException as error:
            failure = as_tutee_error(error, _("Tuning"))
            return TuningFailed(failure, tuple(finished), latest_activatable(finished))
        return TuningDone(tuple(finished), latest_activatable(finished))
