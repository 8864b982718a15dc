"""Tuning: what would be trained, how it goes, and which versions there are.

The run belongs to the app; leaving this screen changes nothing about it.
"""

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
from tui.controllers.tuning import Tuner
from tui.error_toasts import errors_shown, guarded
from tui.screens.confirm import ConfirmScreen
from tui.screens.log import LogScreen
from tui.screens.report_card import Choice, ReportScreen
from tui.screens.text_dialog import LineScreen
from tui.screens.trained_tokens import ProofScreen
from tui.views.training_plan import pass_views
from tui.views.training_progress import Progress
from tui.views.versions import VersionView
from tui.widgets.footer import Footer
from tui.widgets.tuning import LearningPanel, PlanPanel, PlanRow
from tui.widgets.versions import VersionList

if TYPE_CHECKING:
    from core.runs.plan import Plan


_IMPOSSIBLE = {
    "activate": N_(
        "{version} cannot be made to answer: it does already, or it scores replies only."
    ),
    "report": N_("There is no report on {version}: it is the model as it came."),
    "label": N_("{version} is the model as it came, and needs no other name."),
    "delete": N_("{version} cannot be deleted: it answers, or it is the model as it came."),
}


def _nothing_chosen() -> TuteeError:
    return TuteeError(
        _("No pass is chosen, so there is nothing to train."),
        _("Teach with F2 and F4 in the chat, or choose a pass with 1 to 5."),
    )


class TuningScreen(Screen[None]):
    """The three panels and their keys. The list of versions has the focus, always."""

    TITLE = "Tune"
    HELP = """What would be trained now, how it goes, and every version there is. The passes with a
        cross run one after the other; below its minimum a pass says what it lacks, and can be
        forced. Leaving this screen changes nothing about a run. The keys at the foot of the list
        act on the version that is marked."""
    AUTO_FOCUS = "#versions"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "resume", "Go on", key_display="Enter", id="tune.resume"),
        Binding("enter", "start", "Start", key_display="Enter", id="tune.start"),
        # Where it is greyed, the key says why.
        Binding("enter", "explain", "Start", show=False, id="tune.start"),
        Binding("x", "drop", "Drop the old run", key_display="X", id="tune.drop"),
        Binding("1", "choose(0)", "SFT", show=False, id="tune.sft"),
        Binding("2", "choose(1)", "KTO", show=False, id="tune.kto"),
        Binding("3", "choose(2)", "DPO", show=False, id="tune.dpo"),
        Binding("4", "choose(3)", "Reward", show=False, id="tune.reward"),
        Binding("5", "choose(4)", "RL", show=False, id="tune.rl"),
        Binding("b", "rebuild", "From the base", key_display="B", id="tune.rebuild"),
        Binding("p", "pause", "Pause", key_display="P", id="tune.pause"),
        Binding("p", "go_on", "Go on", key_display="P", id="tune.go_on"),
        Binding("x", "app.cancel_tuning", "Cancel", key_display="X", id="tune.cancel"),
        Binding("g", "log", "Log", key_display="G", id="tune.log"),
        Binding("m", "proof", "Trained tokens", key_display="M", id="tune.tokens"),
        # Said at the list itself, where they act.
        Binding("a", "act('activate')", "Activate", show=False, id="tune.activate"),
        Binding("r", "act('report')", "Report", show=False, id="tune.report"),
        Binding("l", "act('label')", "Label", show=False, id="tune.label"),
        Binding("d,delete", "act('delete')", "Delete", show=False, id="tune.delete"),
        Binding("escape", "dismiss", "Back to the chat", key_display="Esc", id="app.back"),
        Binding("f5", "dismiss", "Back", show=False, id="app.tune"),
    ]

    progress: reactive[Progress | None] = reactive(None, init=False)

    def __init__(self, tuner: Tuner) -> None:
        super().__init__()
        self._tuner = tuner
        self._plan: Plan | None = None
        """Nothing while it is being made, or where it cannot be."""
        self._lacking: TuteeError | None = None
        """Why nothing can be started; nothing while the plan is being made."""
        self._eager = False
        """The person wants to start what the plan will hold."""

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
        self.progress = self._tuner.progress
        self.renew()

    def renew(self) -> None:
        """Plan anew: the records, the model or the versions have changed."""
        self._offer()
        self._plan_anew()

    def _plan_anew(self, *, rebuild: bool = False) -> None:
        """Make another plan, in a thread: until it is there, nothing can be chosen."""
        self._plan, self._lacking = None, None
        self.query_one(PlanPanel).counting = True
        self.query_one(LearningPanel).ready = None
        self.refresh_bindings()
        aside(self, partial(self._make_plan, rebuild), "plan")

    async def _make_plan(self, rebuild: bool) -> None:
        panel = self.query_one(PlanPanel)
        try:
            self.query_one(VersionList).show(self._tuner.versions())
            await self._show_plan(await self._tuner.plan(rebuild=rebuild))
        except TuteeError as error:
            self._lacking = error
            await panel.explain(str(error))
        panel.counting = False
        if self._eager:
            self._eager = False
            await self.run_action("start" if self._ready else "explain")

    async def _show_plan(self, plan: "Plan") -> None:
        self._plan, self._lacking = plan, _nothing_chosen()
        self.query_one("#tuning-title", Static).update(
            (
                _("Tune {model} from {parent}, on everything")
                if plan.rebuild
                else _("Tune {model} from {parent}")
            ).format(model=self._tuner.model, parent=plan.parent)
        )
        await self.query_one(PlanPanel).show(pass_views(plan))
        self.query_one(LearningPanel).ready = self._ready
        self.refresh_bindings()

    def watch_progress(self, progress: Progress | None) -> None:
        self.query_one(LearningPanel).progress = progress
        self.refresh_bindings()

    @property
    def _ready(self) -> bool:
        """Something is chosen to be trained."""
        return self._plan is not None and bool(self._plan.wanted)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        running = self.progress is not None and self.progress.active
        unfinished = not running and self._tuner.unfinished is not None
        if action in ("resume", "drop"):
            return unfinished
        if action in ("pause", "go_on"):
            wanted = "running" if action == "pause" else "paused"
            return self.progress is not None and self.progress.state == wanted
        if action == "log":
            return bool(self._tuner.log)
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
        """Say why nothing can be started; start it once the plan is there, where that is why."""
        if self._lacking is not None:
            raise self._lacking
        self._eager = True
        self.notify(_("It starts as soon as the plan is made."), markup=False)

    def action_start(self) -> None:
        if self._plan is not None:
            self._tuner.start(self._plan)
            self.progress = self._tuner.progress

    def action_resume(self) -> None:
        """Go on with the run that was interrupted."""
        self._tuner.resume()
        self.progress = self._tuner.progress

    def action_drop(self) -> None:
        """Forget the run that was interrupted."""
        self._tuner.drop_unfinished()
        self._offer()

    def _offer(self) -> None:
        self.query_one(LearningPanel).offer = self._tuner.offer()
        self.refresh_bindings()

    def action_rebuild(self) -> None:
        """Plan to begin from the base with everything, or to go on after all."""
        if self._plan is not None:
            self._plan_anew(rebuild=not self._plan.rebuild)

    async def action_choose(self, index: int) -> None:
        if self._plan is not None:
            name = self._plan.passes[index].name
            await self._show_plan(self._tuner.toggled(self._plan, name))

    def action_pause(self) -> None:
        """Let the run rest after its micro-batch; the chat has the processor to itself."""
        self._tuner.pause()
        self.progress = self._tuner.progress

    def action_go_on(self) -> None:
        """Let the run go on after a pause."""
        self.action_pause()

    def action_log(self) -> None:
        """Show what the runs did, step by step."""
        self.app.push_screen(LogScreen(self._tuner.log, self._tuner.log_file))

    def action_proof(self) -> None:
        """Show which tokens the pass learns from."""
        if self.progress is not None and self.progress.proof is not None:
            self.app.push_screen(ProofScreen(self.progress.proof))

    # -- versions --------------------------------------------------------------------------------

    def action_act(self, act: str) -> None:
        """Do something with the version that is marked."""
        version = self.query_one(VersionList).marked
        if version is None:
            return
        if act not in version.possible:
            raise TuteeError(_(_IMPOSSIBLE[act]).format(version=version.name))
        match act:
            case "activate":
                self._tuner.use(version.name)
            case "report":
                self._report(version)
            case "label":
                self._label(version)
            case "delete":
                self._delete(version)

    def _report(self, version: VersionView) -> None:
        def choose(choice: Choice | None) -> None:
            with errors_shown(self.app):
                if choice == "activate":
                    self._tuner.use(version.name)
                elif choice == "roll back":
                    self._tuner.roll_back()

        screen = ReportScreen(
            self._tuner.card(version.name),
            active=version.active,
            possible="activate" in version.possible,
        )
        self.app.push_screen(screen, choose)

    def _label(self, version: VersionView) -> None:
        def label(name: str | None) -> None:
            if name is not None:
                with errors_shown(self.app):
                    self._tuner.label(version.name, name)
                    self.renew()

        keys = _("Enter keeps it; an empty one takes it away · Esc leaves it so")
        title = _("What do you call {version}?").format(version=version.name)
        self.app.push_screen(LineScreen(title, version.label, _("a word or two"), keys), label)

    def _delete(self, version: VersionView) -> None:
        def delete(agreed: bool | None) -> None:
            if agreed:
                with errors_shown(self.app):
                    self._tuner.delete(version.name)
                    self.renew()

        self.app.push_screen(
            ConfirmScreen(
                _("Delete {version}?").format(version=version.name),
                _(
                    "It cannot be brought back. Your records stay, and so do the versions that were"
                    " made from it."
                ),
                _("Enter deletes · Esc keeps"),
            ),
            delete,
        )

    @on(PlanRow.Toggled)
    @guarded
    async def _row_clicked(self, event: PlanRow.Toggled) -> None:
        await self.run_action(f"choose({event.index})")
