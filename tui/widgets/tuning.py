"""The three panels of the tuning screen: the plan, the run, the versions."""

from collections.abc import Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static
from textual_plotext import PlotextPlot

from tui.progress import LABELS, Progress
from tui.text import clock
from tui.theme import MUTED, checkbox
from tui.views import PassView, VersionView


class PlanRow(Static):
    """One pass: whether it will run, and what it would learn from."""

    class Toggled(Message):
        """The person clicked the pass."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, index: int, view: PassView) -> None:
        self._index = index
        super().__init__(_pass_content(index, view), classes="" if view.wanted else "unwanted")

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Toggled(self._index))


class PlanPanel(Vertical):
    """What would be trained."""

    async def show(self, passes: Sequence[PassView]) -> None:
        await self.remove_children()
        await self.mount_all(PlanRow(index, view) for index, view in enumerate(passes))

    async def explain(self, text: str) -> None:
        """Say why there is no plan."""
        await self.remove_children()
        await self.mount(Static(text, classes="dim", markup=False))


class LearningPanel(Vertical):
    """How the run goes: figures over a plot of the loss."""

    progress: reactive[Progress | None] = reactive(None)

    def compose(self) -> ComposeResult:
        yield Static(id="figures")
        yield PlotextPlot(id="plot")

    def on_mount(self) -> None:
        self._draw()

    def watch_progress(self) -> None:
        if self.is_mounted:
            self._draw()

    def _draw(self) -> None:
        progress = self.progress
        self.query_one("#figures", Static).update(_figures(progress))
        plot = self.query_one(PlotextPlot)
        plot.display = progress is not None and len(progress.points) > 1
        if progress is not None and plot.display:
            _plot(plot.plt, progress.points, progress.steps)
            plot.refresh()


class VersionsPanel(VerticalScroll, can_focus=False):
    """Every adapter version, the active one marked."""

    async def show(self, versions: Sequence[VersionView]) -> None:
        await self.remove_children()
        await self.mount_all(Static(_version_content(view)) for view in versions)


def _pass_content(index: int, view: PassView) -> Content:
    detail = f"forced: {view.detail}" if view.forced else view.detail
    return Content.assemble(
        checkbox(view.wanted),
        f" {index + 1}  ",
        (f"{view.label:<7}", "bold"),
        (detail, "$text-warning" if view.forced else MUTED),
        (f"  {view.time}" if view.time else "", "bold"),
    )


def _figures(progress: Progress | None) -> Content:
    if progress is None:
        return Content("Enter starts. Chat on meanwhile: replies always go first.").stylize(MUTED)
    if not progress.active:
        style = {"done": "$text-success", "failed": "$text-error"}.get(progress.state, "")
        return Content(progress.message).stylize(style) if style else Content(progress.message)
    if progress.state == "cancelling":
        return Content("Cancelling after this micro-batch…").stylize("$text-warning")
    if progress.name is None:
        return Content("Getting ready…").stylize("$text-warning")
    loss = f"loss {progress.points[-1][1]:.2f}" if progress.points else "loss after the first step"
    first = f"{LABELS[progress.name]} {int(progress.step)}/{progress.steps} · {loss}"
    speed = f"{progress.speed:.0f} tok/s" if progress.speed else "starting"
    left = f" · {clock(progress.eta)} left" if progress.eta is not None else ""
    return Content.assemble((first, "bold"), "\n", (speed + left, MUTED))


def _plot(plt: Any, points: Sequence[tuple[float, float]], steps: int) -> None:
    plt.clear_figure()
    plt.plot(
        [step for step, _ in points],
        [loss for _, loss in points],
        marker="braille",
        color=(108, 166, 240),
    )
    plt.xlim(1, max(steps, 2))
    plt.xticks([1, steps])
    plt.xaxes(True, False)
    plt.yaxes(True, False)


def _version_content(view: VersionView) -> Content:
    mark = ("● ", "$text-success") if view.active else "  "
    active = (" active", "$text-success") if view.active else "       "
    name = (f"{view.name:<5}", "bold" if view.active else "")
    return Content.assemble(mark, name, active, f"  {view.created:<16}  ", (view.detail, MUTED))
