"""Training, without any widget: the plan, the run, and which version answers.

A new adapter becomes the active one first and then the chat swaps to it between two replies; if the
chat cannot, the one it goes on with is made active again, so the two never disagree.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from core.events import AdapterSwapped, PassName, SwapFailed, TuningDone, TuningFailed
from store.errors import TuteeError
from store.i18n import _
from store.records import now
from tui.background import in_thread
from tui.services import Services
from tui.text_format import counted
from tui.views.training_progress import Progress, TuningEvent, advanced, label, told
from tui.views.versions import VersionView

if TYPE_CHECKING:
    from core.evaluation.report_card import ReportCard
    from core.runs.plan import Plan
    from core.runs.saved_run import SavedRun


class Tuner:
    """One person training one model."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.progress: Progress | None = None
        self.answering = BASE
        """The version the chat answers with."""
        self.unfinished: SavedRun | None = None
        """The run that was interrupted, to go on with or to drop."""
        self._learned: frozenset[str] = frozenset()
        self._held_out: frozenset[str] = frozenset()
        self._remark = ""
        self.log: list[tuple[datetime, str]] = []
        """What the runs since the start of the app did, oldest first."""

    @property
    def log_file(self) -> Path:
        """Where errors are told in full."""
        return self._services.paths.log_file

    @property
    def running(self) -> bool:
        return self._services.tuning.running

    # -- runs ------------------------------------------------------------------------------------

    async def plan(self, *, rebuild: bool = False) -> "Plan":
        """What a run would do now; among many records, in a second.

        Args:
            rebuild: Begin from the base, with everything.

        Raises:
            TuteeError: the model is not ready yet.
        """
        # Imported here because the first paint comes before it.
        from core.runs.plan import make_plan

        adapters, config = self._adapters(), self._services.config
        records = self._services.repository.trainable()
        return await in_thread(lambda _: make_plan(records, adapters, config, rebuild=rebuild))

    @property
    def model(self) -> str:
        """What the base model is called."""
        return self._adapters().folder.label

    def toggled(self, plan: "Plan", name: PassName) -> "Plan":
        """`plan` with the pass `name` wanted if it was not, and the other way round.

        Raises:
            TuteeError: the pass has nothing at all to learn from.
        """
        changed = plan.toggled(name)
        if changed == plan:
            raise TuteeError(
                _("{name} has nothing to learn from yet.").format(name=label(name)),
                _("Correct (F4) or rate (F2, F3) a reply first."),
            )
        return changed

    def start(self, plan: "Plan") -> None:
        """Train what `plan` wants."""
        self._services.tuning.start(plan)
        self.unfinished = None
        self.progress = Progress()

    def look_for_unfinished(self) -> None:
        """Find the run that was interrupted, if there is one.

        Raises:
            TuteeError: there was one, but it had to be dropped.
        """
        # Imported here because the first paint comes before it.
        from core.runs import saved_run

        self.unfinished = None
        self.unfinished = saved_run.unfinished(
            self._adapters(), self._services.repository.trainable()
        )

    def offer(self) -> str:
        """How far the run got that was interrupted; empty where there is none."""
        if self.unfinished is None:
            return ""
        began = f"{self.unfinished.began.astimezone():%Y-%m-%d %H:%M}"
        name, steps = self.unfinished.under_way() or ("", 0)
        if not (name and steps):
            return _("The run of {began} was interrupted.").format(began=began)
        return _("The run of {began} was interrupted after {steps} of {name}.").format(
            began=began, steps=counted(steps, "step"), name=label(name)
        )

    def resume(self) -> None:
        """Go on with the run that was interrupted.

        Raises:
            TuteeError: it had to be dropped meanwhile.
        """
        self.look_for_unfinished()
        if self.unfinished is not None:
            self._services.tuning.resume(self.unfinished)
            self.unfinished = None
            self.progress = Progress()

    def drop_unfinished(self) -> None:
        """Forget the run that was interrupted; the versions it made stay."""
        if self.unfinished is not None:
            self.unfinished.drop()
            self.unfinished = None

    def pause(self) -> None:
        """Let the run rest, or go on after all."""
        if self.progress is not None and self.progress.state in ("running", "paused"):
            paused = self.progress.state == "running"
            self._services.tuning.pause(paused)
            self.progress = replace(self.progress, state="paused" if paused else "running")
            self._note(_("Paused.") if paused else _("Goes on."))

    def _note(self, line: str) -> None:
        self.log.append((now(), line))

    def cancel(self) -> None:
        """Stop the run at its next micro-batch."""
        if self.running and self.progress is not None:
            self._services.tuning.cancel()
            self.progress = replace(self.progress, state="cancelling")

    def on_tuning(self, event: TuningEvent) -> Progress:
        """Take up what the worker says; a finished adapter is activated."""
        line = told(event)
        if line:
            self._note(line)
        self.progress = advanced(self.progress, event)
        if isinstance(event, TuningDone) and event.adapter:
            self.use(event.adapter)
        elif isinstance(event, TuningFailed):
            self.look_for_unfinished()
        return self.progress

    # -- versions --------------------------------------------------------------------------------

    def use(self, version: str) -> None:
        """Answer with `version` from the next reply on."""
        self._adapters().use(version)
        self._swap(
            version, _("Ctrl+P, “Roll back”, returns to {version}.").format(version=self.answering)
        )

    def roll_back(self) -> None:
        """Answer with the version that was active before."""
        left = self.answering
        self._swap(
            self._adapters().rollback(), _("Rolled back; {version} is kept.").format(version=left)
        )

    def _swap(self, version: str, remark: str) -> None:
        self._remark = remark
        self._services.chat.swap(version)

    def model_ready(self, version: str) -> None:
        """The chat answers, with `version` of the model that is in use now."""
        if not self.running:
            self.progress = None  # it was of the model before
        self._answers(version)

    def _answers(self, version: str) -> None:
        self.answering = version
        self._learned = self._adapters().learned(version)

    def on_swap(self, event: AdapterSwapped | SwapFailed) -> str:
        """Take up whether the chat changed its adapter; what to say about it."""
        if isinstance(event, SwapFailed):
            self._adapters().use(self.answering)
            return _("{version} goes on answering.").format(version=self.answering)
        self._answers(event.version)
        return self._remark

    async def look_for_held_out(self) -> None:
        """Find the records that are not learned because they measure; among many, in a second."""
        # Imported here because the first paint comes before it.
        from core.runs.record_selection import held_out_instructions

        records = self._services.repository.trainable()
        self._held_out = await in_thread(lambda _: held_out_instructions(records))

    def new_records(self) -> int | None:
        """Instruction records that the answering version is yet to learn; unknown while loading."""
        if self._services.chat.adapters is None:
            return None
        done = self._learned | self._held_out
        records = self._services.repository.trainable()
        return sum(r.kind == "instruction" and r.id not in done for r in records)

    def versions(self) -> list[VersionView]:
        """All versions, newest first, the base last."""
        # Imported here because the gate's figures cost the first paint some time.
        from tui.views.versions import version_views

        return version_views(self._adapters())

    def card(self, version: str) -> "ReportCard":
        """The report on `version`.

        Raises:
            TuteeError: it is the base, or its report is damaged.
        """
        from core.evaluation.report_card import build_report_card

        return build_report_card(self._adapters(), version)

    def label(self, version: str, name: str) -> None:
        """Call `version` `name`; an empty name takes its label away."""
        self._adapters().label(version, name)

    def delete(self, version: str) -> None:
        """Remove `version` for good; what its descendants have learned stays learned.

        Raises:
            TuteeError: it answers, or a run may need it.
        """
        if self.running:
            raise TuteeError(
                _("A version cannot be deleted while a run may go on from it."),
                _("Wait for the run, or cancel it first."),
            )
        self._adapters().delete(version)

    def _adapters(self) -> Adapters:
        adapters = self._services.chat.adapters
        if adapters is None:
            raise TuteeError(
                _("The model is still loading."), _("Tuning can begin as soon as it is ready.")
            )
        return adapters
