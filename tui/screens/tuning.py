"""The tuning screen: plan, run and versions. The run belongs to the app and outlives the screen."""

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Static

from store.errors import TuteeError
from store.i18n import N_, _
from tui.background import aside
from tui.controllers.training_plan import toggle_pass
from tui.controllers.tuning import TuningController
from tui.error_toasts import errors_shown, guarded
from tui.screens.confirm import confirm
from tui.screens.log import LogScreen
from tui.screens.report_card import ReportCardScreen, ReportChoice
from tui.screens.text_dialog import TextDialog
from tui.screens.trained_tokens import TrainedTokensScreen
from tui.views.training_plan import pass_views
from tui.views.training_progress import TrainingProgress
from tui.views.versions import VersionView
from tui.widgets.footer import Footer
from tui.widgets.tuning import LearningPanel, PlanPanel, PlanRow
from tui.widgets.versions import VersionList

if TYPE_CHECKING:
    from core.runs.plan import Plan

_IMPOSSIBLE = {
    "activate": N_("{version} cannot be activated: it already is, or it is a reward model."),
    "report": N_("{version} is the original model, so it has no report."),
    "label": N_("{version} is the original model and cannot be labeled."),
    "delete": N_("{version} cannot be deleted: it is active, or it is the original model."),
}


def _nothing_selected() -> TuteeError:
    return TuteeError(
        _("No pass is selected, so there is nothing to train."),
        _(
            "Teach with {key:chat.like} and {key:chat.correct} in the chat, or select a pass with"
            " {key:tune.sft} to {key:tune.rl}."
        ),
    )


class TuningScreen(Screen[None]):
    """Three panels and their keys. The focus stays on the list of versions."""

    TITLE = "Tune"
    HELP = """Plan the next training run, follow the current one, and manage the versions. Checked
        passes run one after another; a pass below its minimum says what it lacks, and can be
        forced. A run continues when you leave this screen. The keys below the list act on the
        highlighted version."""
    AUTO_FOCUS = "#versions"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "resume", "Resume", key_display="Enter", id="tune.resume"),
        Binding("enter", "start", "Start", key_display="Enter", id="tune.start"),
        # Where it is grayed out, the key explains why.
        Binding("enter", "explain", "Start", show=False, id="tune.start"),
        Binding("x", "drop", "Drop the old run", key_display="X", id="tune.drop"),
        Binding("1", "choose(0)", "SFT", show=False, id="tune.sft"),
        Binding("2", "choose(1)", "KTO", show=False, id="tune.kto"),
        Binding("3", "choose(2)", "DPO", show=False, id="tune.dpo"),
        Binding("4", "choose(3)", "Reward", show=False, id="tune.reward"),
        Binding("5", "choose(4)", "RL", show=False, id="tune.rl"),
        Binding("b", "rebuild", "From the base", key_display="B", id="tune.rebuild"),
        Binding("p", "pause", "Pause", key_display="P", id="tune.pause"),
        Binding("p", "go_on", "Resume", key_display="P", id="tune.go_on"),
        Binding("x", "app.cancel_tuning", "Cancel", key_display="X", id="tune.cancel"),
        Binding("g", "log", "Log", key_display="G", id="tune.log"),
        Binding("m", "proof", "Trained tokens", key_display="M", id="tune.tokens"),
        # Shown below the list, where they act.
        Binding("a", "act('activate')", "Activate", show=False, id="tune.activate"),
        Binding("r", "act('report')", "Report", show=False, id="tune.report"),
        Binding("l", "act('label')", "Label", show=False, id="tune.label"),
        Binding("d,delete", "act('delete')", "Delete", show=False, id="tune.delete"),
        Binding("escape", "dismiss", "Back to the chat", key_display="Esc", id="app.back"),
        Binding("f5", "dismiss", "Back", show=False, id="app.tune"),
    ]

    progress: reactive[TrainingProgress | None] = reactive(None, init=False)

    def __init__(self, tuning: TuningController) -> None:
        super().__init__()
        self._tuning = tuning
        self._plan: Plan | None = None
        """None while it is being made, or if there can be none."""
        self._obstacle: TuteeError | None = None
        """Why no run can start; None while the plan is being made."""
        self._start_when_planned = False

    def compose(self) -> ComposeResult:
        yield Static(_("Tune"), id="tuning-title", markup=False)
        with Horizontal(id="tuning-top"):
            yield PlanPanel(id="plan")
            yield LearningPanel(id="learning")
        yield VersionList(id="versions")
        yield Footer(compact=True, show_command_palette=True)

    def on_mount(self) -> None:
        for panel, title in (("learning", _("Learning")), ("versions", _("Versions"))):
            self.query_one(f"#{panel}").border_title = title
        self.progress = self._tuning.run.progress
        self.watch_progress(self.progress)
        with errors_shown(self.app):
            self.renew()

    def renew(self) -> None:
        """Plan again after the records, the model or the versions changed."""
        if self.query(LearningPanel):  # else mounting does it
            self._show_offer()
            self._replan()

    def _replan(self, *, rebuild: bool = False) -> None:
        """Make another plan in a thread; no pass can be selected meanwhile."""
        self._plan, self._obstacle = None, None
        self.query_one(PlanPanel).counting = True
        self.query_one(LearningPanel).ready = None
        self.refresh_bindings()
        aside(self, partial(self._make_plan, rebuild), "plan")

    async def _make_plan(self, rebuild: bool) -> None:
        panel = self.query_one(PlanPanel)
        try:
            self.query_one(VersionList).show(self._tuning.versions.views())
            await self._show_plan(await self._tuning.planner.plan(rebuild=rebuild))
        except TuteeError as error:
            self._obstacle = error
            await panel.explain(str(error))
        panel.counting = False
        if self._start_when_planned:
            self._start_when_planned = False
            await self.run_action("start" if self._ready else "explain")

    async def _show_plan(self, plan: "Plan") -> None:
        self._plan, self._obstacle = plan, _nothing_selected()
        title = _("Tune {model} from {parent}")
        if plan.rebuild:
            title = _("Tune {model} from {parent}, on every record")
        title = title.format(model=self._tuning.planner.model, parent=plan.parent)
        self.query_one("#tuning-title", Static).update(title)
        notes = self._tuning.planner.notes(plan)
        await self.query_one(PlanPanel).show(pass_views(plan), notes)
        self.query_one(LearningPanel).ready = self._ready
        self.refresh_bindings()

    def watch_progress(self, progress: TrainingProgress | None) -> None:
        for panel in self.query(LearningPanel):  # none while a run ticks and the screen opens
            panel.progress = progress
        self.refresh_bindings()

    @property
    def _ready(self) -> bool:
        """At least one pass is selected."""
        return self._plan is not None and bool(self._plan.wanted)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        running = self.progress is not None and self.progress.active
        unfinished = not running and self._tuning.interrupted.saved is not None
        if action in ("resume", "drop"):
            return unfinished
        if action in ("pause", "go_on"):
            wanted = "running" if action == "pause" else "paused"
            return self.progress is not None and self.progress.state == wanted
        if action == "log":
            return bool(self._tuning.run.log)
        if action in ("start", "explain") and (running or unfinished):
            return False
        if action == "start":
            return self._ready or None
        if action in ("choose", "rebuild"):
            return False if running else None if self._plan is None else True
        if action == "proof":
            return self.progress is not None and self.progress.proof is not None
        return True

    def action_explain(self) -> None:
        """Say why no run can start; if the plan is still being made, start once it is there."""
        if self._obstacle is not None:
            raise self._obstacle
        self._start_when_planned = True
        self.notify(_("The run starts as soon as the plan is ready."), markup=False)

    def action_start(self) -> None:
        if self._plan is not None:
            self._tuning.start(self._plan)
            self.progress = self._tuning.run.progress

    def action_resume(self) -> None:
        self._tuning.resume()
        self.progress = self._tuning.run.progress

    def action_drop(self) -> None:
        self._tuning.interrupted.drop()
        self._show_offer()

    def _show_offer(self) -> None:
        self.query_one(LearningPanel).offer = self._tuning.interrupted.describe()
        self.refresh_bindings()

    def action_rebuild(self) -> None:
        """Switch between training from the base on every record and continuing the version."""
        if self._plan is not None:
            self._replan(rebuild=not self._plan.rebuild)

    async def action_choose(self, index: int) -> None:
        if self._plan is not None:
            await self._show_plan(toggle_pass(self._plan, self._plan.passes[index].name))

    def action_pause(self) -> None:
        """Pause the run after its micro-batch, which leaves the processor to the chat."""
        self._tuning.run.toggle_pause()
        self.progress = self._tuning.run.progress

    def action_go_on(self) -> None:
        self.action_pause()

    def action_log(self) -> None:
        self.app.push_screen(LogScreen(self._tuning.run.log, self._tuning.run.log_file))

    def action_proof(self) -> None:
        if self.progress is not None and self.progress.proof is not None:
            self.app.push_screen(TrainedTokensScreen(self.progress.proof))

    # -- versions --------------------------------------------------------------------------------

    def action_act(self, act: str) -> None:
        version = self.query_one(VersionList).current
        if version is None:
            return
        if act not in version.possible:
            raise TuteeError(_(_IMPOSSIBLE[act]).format(version=version.name))
        match act:
            case "activate":
                self._tuning.versions.activate(version.name)
            case "report":
                self._report(version)
            case "label":
                self._label(version)
            case "delete":
                self._delete(version)

    def _report(self, version: VersionView) -> None:
        def choose(choice: ReportChoice | None) -> None:
            with errors_shown(self.app):
                if choice == "activate":
                    self._tuning.versions.activate(version.name)
                elif choice == "roll back":
                    self._tuning.versions.roll_back()

        screen = ReportCardScreen(
            self._tuning.versions.report_card(version.name),
            active=version.active,
            can_activate="activate" in version.possible,
        )
        self.app.push_screen(screen, choose)

    def _label(self, version: VersionView) -> None:
        def label(name: str | None) -> None:
            if name is not None:
                with errors_shown(self.app):
                    self._tuning.versions.label(version.name, name)
                    self.renew()

        keys = _("Enter saves the label, or removes it if empty · Esc cancels")
        title = _("Label {version}").format(version=version.name)
        self.app.push_screen(TextDialog(title, version.label, _("a word or two"), keys), label)

    def _delete(self, version: VersionView) -> None:
        def delete() -> None:
            self._tuning.versions.delete(version.name)
            self.renew()

        confirm(
            self.app,
            _("Delete {version}?").format(version=version.name),
            _("This cannot be undone. Your records stay, and so do versions trained from it."),
            _("Enter deletes · Esc cancels"),
            delete,
        )

    @on(PlanRow.Toggled)
    @guarded
    async def _row_clicked(self, event: PlanRow.Toggled) -> None:
        await self.run_action(f"choose({event.index})")
