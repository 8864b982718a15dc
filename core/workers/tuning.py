"""The thread that trains: one run at a time, beside the chat (`core.workers.chat`).

It is told what to do through plain calls that return at once, and tells what happened through
events.
"""

from collections.abc import Callable
from threading import Thread

from core.events import (
    PassDone,
    TuningCancelled,
    TuningDone,
    TuningFailed,
    TuningStarted,
)
from core.runs import run
from core.runs.plan import Plan
from core.runs.saved_run import Run
from core.runtime.failures import as_tutee_error
from core.runtime.scheduler import Cancelled, Turns
from core.training.run_control import Watch
from core.workers.chat import Emit
from store.errors import TuteeError
from store.i18n import _

Work = Callable[[Watch, run.Finished], None]


class TuningWorker:
    """Runs one tuning plan at a time in a thread of its own."""

    def __init__(self, emit: Emit, turns: Turns) -> None:
        self._emit = emit
        self._turns = turns
        self._watch = Watch(emit, turns)
        self._thread: Thread | None = None
        self.running = False
        """A run is under way; false again before its last event is told."""

    def start(self, plan: Plan) -> None:
        """Begin `plan`; a run that was interrupted before is forgotten.

        Raises:
            TuteeError: a run is under way.
        """
        self._start(lambda watch, finished: run.run(plan, watch, finished), plan)

    def resume(self, begun: Run) -> None:
        """Go on with a run that was interrupted; `core.runs.saved_run.unfinished` finds it.

        Raises:
            TuteeError: a run is under way.
        """
        self._start(lambda watch, finished: run.resume(begun, watch, finished), begun.plan)

    def _start(self, work: Work, plan: Plan) -> None:
        if self.running:
            raise TuteeError(
                _("Tuning is already under way."), _("Wait for it, or cancel it first.")
            )
        self._watch = Watch(self._emit, self._turns)
        self._turns.pause(False)
        self.running = True
        self._thread = Thread(
            target=self._run, args=(work, plan, self._watch), name="tutee-tuning", daemon=True
        )
        self._thread.start()

    def pause(self, paused: bool) -> None:
        """Rest after the micro-batch under way, or go on."""
        self._turns.pause(paused)

    def cancel(self) -> None:
        """Stop at the next micro-batch; nothing of the pass under way is kept."""
        self._watch.cancel()

    def close(self, timeout: float) -> bool:
        """Stop, and say whether the thread ended within `timeout` seconds.

        The run under way can be resumed.
        """
        self._watch.interrupt()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self, work: Work, plan: Plan, watch: Watch) -> None:
        self._emit(TuningStarted(tuple(planned.name for planned in plan.wanted)))
        outcome = self._outcome(work, watch)
        self.running = False
        self._emit(outcome)

    def _outcome(self, work: Work, watch: Watch) -> TuningDone | TuningCancelled | TuningFailed:
        finished: list[PassDone] = []
        try:
            work(watch, finished.append)
        except Cancelled:
            return TuningCancelled(tuple(finished))
        except Exception as error:
            return TuningFailed(as_tutee_error(error, _("Tuning")), tuple(finished))
        adapter = next((done.version for done in reversed(finished) if done.adoptable), None)
        return TuningDone(tuple(finished), adapter)
