"""A tuning run: the passes of a plan in order, one new version each.

Each pass continues the version that the pass before it made, unless the gate
(`core.evaluation.gate`) held that one back; then it continues the same version as that pass.

A run is on the disk while it is under way (`core.runs.saved_run`), so it can be resumed if the
program ends. It is forgotten when it ends, is cancelled, or fails for a reason that would recur.

Left out on purpose: activating the new version. The caller does that, between two replies.
"""

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.events import PassDone
from core.runs import saved_run
from core.runs.passes import PassRunner
from core.runs.plan import Plan
from core.runs.saved_run import SavedRun
from core.runtime.failures import is_out_of_memory
from core.runtime.scheduler import Cancelled
from core.training.memory_budget import TooLittleMemory
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from core.training.run_control import RunControl

OnPassDone = Callable[[PassDone], None]


def run(plan: Plan, run_control: "RunControl", on_pass_done: OnPassDone | None = None) -> None:
    """Train the wanted passes of `plan`, one version each.

    Args:
        on_pass_done: Called with each pass once its version is on disk.

    Raises:
        TuteeError: no pass is wanted, or one failed; earlier versions are kept.
        Cancelled: `run_control` was cancelled, and nothing of the current pass is kept; or it was
            interrupted, and `saved_run.unfinished` finds the run.
    """
    plan.require_wanted()
    resume(saved_run.begin(plan), run_control, on_pass_done)


def resume(
    saved: SavedRun, run_control: "RunControl", on_pass_done: OnPassDone | None = None
) -> None:
    """Continue a run where it stopped, to exactly the versions it would have made.

    Args:
        on_pass_done: Called with each pass once its version is on disk, also with passes that were
            done before.

    Raises:
        TuteeError, Cancelled: as `run`.
    """
    try:
        _run_passes(saved, run_control, on_pass_done)
    except Cancelled:
        if not run_control.interrupted:
            saved.drop()
        raise
    except TuteeError as error:
        # What the machine refused (it has a cause) may work later; what the data caused, never.
        if error.__cause__ is None and not isinstance(error, TooLittleMemory):
            saved.drop()
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise TuteeError(
            _("Tuning ran out of memory."),
            _("Close other programs and resume it, or use a smaller model; nothing else was lost."),
        ) from error
    saved.drop()


def _run_passes(
    saved: SavedRun, run_control: "RunControl", on_pass_done: OnPassDone | None
) -> None:
    runner = PassRunner(saved.plan, run_control)
    earlier = {done.name: done for done in saved.finished()}
    for planned in saved.plan.wanted:
        run_control.checkpoints = saved.checkpoints(planned.name)
        done = earlier.get(planned.name) or runner.run(planned.name)
        saved.delete_checkpoints(planned.name)
        # A trainer and its model refer to each other, so they would stay until some collection.
        gc.collect()
        run_control.emit(done)
        if isinstance(done, PassDone):
            if done.activatable:
                runner.parent = done.version
            if on_pass_done:
                on_pass_done(done)
