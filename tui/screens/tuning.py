"""Tuning: what would be trained, how it goes, and which versions there are.

The run belongs to the app; leaving this screen changes nothing about it.
"""

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Static

from store.errors import TuteeError
from tui.guard import guarded
from tui.progress import Progress
from tui.tuner import Tuner, pass_views
from tui.widgets.tuning import LearningPanel, PlanPanel, PlanRow, VersionsPanel

if TYPE_CHECKING:
    from core.planning import Plan


class TuningScreen(Screen[None]):
    """The three panels and their keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start", key_display="Enter"),
        Binding("1", "choose(0)", "SFT", show=False),
        Binding("2", "choose(1)", "KTO", show=False),
        Binding("3", "choose(2)", "DPO", show=False),
        Binding("4", "choose(3)", "Reward", show=False),
        Binding("5", "choose(4)", "RL", show=False),
        Binding("b", "rebuild", "From the base", key_display="B"),
        Binding("x", "app.cancel_tuning", "Cancel", key_display="X"),
        Binding("escape", "dismiss", "Back to the chat", key_display="Esc"),
        Binding("f5", "dismiss", show=False),
    ]

    progress: reactive[Progress | None] = reactive(None, init=False)

    def __init__(self, tuner: Tuner) -> None:
        super().__init__()
        self._tuner = tuner
        self._plan: Plan | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="tuning-title", markup=False)
        with Horizontal(id="tuning-top"):
            yield PlanPanel(id="plan")
            yield LearningPanel(id="learning")
        yield VersionsPanel(id="versions")
        yield Footer(compact=True, show_command_palette=True)

    async def on_mount(self) -> None:
        for panel, title in (("plan", "Plan"), ("learning", "Learning"), ("versions", "Versions")):
            self.query_one(f"#{panel}").border_title = title
        self.progress = self._tuner.progress
        await self.renew()

    async def renew(self) -> None:
        """Plan anew: the records, the model or the versions have changed."""
        try:
            await self._show_plan(self._tuner.plan())
            await self.query_one(VersionsPanel).show(self._tuner.versions())
        except TuteeError as error:
            self._plan = None
            await self.query_one(PlanPanel).explain(str(error))

    async def _show_plan(self, plan: "Plan") -> None:
        self._plan = plan
        self.query_one("#tuning-title", Static).update(
            f"Tune {self._tuner.model} from {plan.parent}"
            + (", on everything" if plan.rebuild else "")
        )
        await self.query_one(PlanPanel).show(pass_views(plan))
        self.refresh_bindings()

    def watch_progress(self, progress: Progress | None) -> None:
        self.query_one(LearningPanel).progress = progress
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        running = self.progress is not None and self.progress.active
        if action in ("start", "choose", "rebuild"):
            return None if running or self._plan is None else True
        return True

    def action_start(self) -> None:
        if self._plan is not None:
            self._tuner.start(self._plan)
            self.progress = self._tuner.progress

    async def action_rebuild(self) -> None:
        """Plan to begin from the base with everything, or to go on after all."""
        if self._plan is not None:
            await self._show_plan(self._tuner.plan(rebuild=not self._plan.rebuild))

    async def action_choose(self, index: int) -> None:
        if self._plan is not None:
            name = self._plan.passes[index].name
            await self._show_plan(self._tuner.toggled(self._plan, name))

    @on(PlanRow.Toggled)
    @guarded
    async def _row_clicked(self, event: PlanRow.Toggled) -> None:
        await self.run_action(f"choose({event.index})")
