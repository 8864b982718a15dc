"""Two panels of the tuning screen: the plan, and the run with its plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.theme import Theme
from textual.widgets import Static
from textual_plotext import PlotextPlot

from core.events import PassDone, RolloutReport
from store.i18n import N_, _
from tui.background import replace_children
from tui.commands.keymap import keyed
from tui.text_format import bar, clock, harmless, one_line, padded, shortened
from tui.theme import MUTED, checkbox
from tui.views.training_plan import PassView
from tui.views.training_progress import (
    EXPLANATIONS,
    TrainingProgress,
    learned,
    pass_label,
    run_clock,
    stage_text,
)

_BAR_CELLS = 14
_LABEL_CELLS = 21
_INDENT = 7
"""Cells before what a pass has, below its name."""
_NARROW = 76
"""Cells of the terminal below which the panels stand one below the other."""

_READY = N_("Enter starts. You can chat meanwhile: replies always go first.")
_NOT_READY = N_(
    "Nothing is ready yet. Teach with {key:chat.like} and {key:chat.correct} in the chat, or select"
    " a pass with {key:tune.sft} to {key:tune.rl}."
)


class PlanRow(Static):
    """One pass: whether it will run, and on what."""

    class Toggled(Message):
        """The user clicked the pass."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, index: int, view: PassView, *, beside: bool = False) -> None:
        """Show the pass; `beside` puts what it has into the line of its name."""
        self._index, self._view, self._beside = index, view, beside
        super().__init__(_pass_content(index, view, beside))

    def on_resize(self, event: events.Resize) -> None:
        """Indent every line of what the pass has, now that the width is known."""
        self.update(_pass_content(self._index, self._view, self._beside, event.size.width))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Toggled(self._index))


class PlanPanel(Vertical):
    """The passes of the plan; grayed out while a new plan is made."""

    counting: reactive[bool] = reactive(True, toggle_class="-counting")

    def watch_counting(self, counting: bool) -> None:
        self.border_title = _("Plan: counting records…") if counting else _("Plan")

    async def show(self, passes: Sequence[PassView], notes: Sequence[str] = ()) -> None:
        """Show the passes, and above them what the user may not expect of the run."""
        beside = self.app.size.width < _NARROW  # there the panel is as wide as the terminal
        rows = [PlanRow(index, view, beside=beside) for index, view in enumerate(passes)]
        notices = [Static(note, classes="note", markup=False) for note in notes]
        await replace_children(self, [*notices, *rows])

    async def explain(self, text: str) -> None:
        await replace_children(self, [Static(keyed(self, text), classes="dim", markup=False)])


class LearningPanel(Vertical):
    """Progress of the run: metrics, a plot, and the latest reply of an RL pass."""

    progress: reactive[TrainingProgress | None] = reactive(None)
    offer: reactive[str] = reactive("")
    """Description of an interrupted run; empty if there is none."""
    ready: reactive[bool | None] = reactive[bool | None](None)
    """A pass is selected; None while the plan is being made."""

    def compose(self) -> ComposeResult:
        yield Static(id="figures")
        yield PlotextPlot(id="plot")
        yield Static(id="rollout")

    def on_mount(self) -> None:
        self._draw()

    def watch_progress(self) -> None:
        if self.is_mounted:
            self._draw()

    watch_offer = watch_ready = watch_progress

    def _hint(self) -> Content:
        if self.ready is None:
            return Content()
        hint = Content(keyed(self, _(_READY if self.ready else _NOT_READY)))
        passes = Content("\n").join(
            Content.assemble((str(number), "bold"), (f" {_(text)}", MUTED))
            for number, text in enumerate(EXPLANATIONS.values(), 1)
        )
        return Content.assemble(hint, "\n\n", passes)

    def _draw(self) -> None:
        progress = self.progress
        figures = _figures(progress) if progress else self._hint()
        if self.offer and (progress is None or not progress.active):
            offer = Content(_("{offer} Enter resumes it, X drops it.").format(offer=self.offer))
            offer = offer.stylize("$text-warning")
            figures = offer if progress is None else figures + "\n" + offer
        self.query_one("#figures", Static).update(figures)
        plot = self.query_one(PlotextPlot)
        curves = _curves(progress) if progress else None
        plot.display = curves is not None and any(len(curve.values) > 1 for curve in curves)
        if progress is not None and curves is not None and plot.display:
            _plot(plot.plt, curves, progress.steps, self.app.current_theme)
            plot.refresh()
        rollout = self.query_one("#rollout", Static)
        shown = progress is not None and progress.active and progress.rollouts
        rollout.display = bool(shown)
        if progress is not None and shown:
            rollout.update(_rollout(progress.rollouts[-1], self.content_size.width))


@dataclass(frozen=True)
class _Curve:
    steps: Sequence[float]
    values: Sequence[float]
    side: str = "left"


_DOT = "•"
"""Marker of the second curve, which tells it apart without color."""


def _curves(progress: TrainingProgress) -> tuple[_Curve, _Curve]:
    """Training and hold-out loss; for RL the mean reward, and the KL divergence from the base model
    on the right axis."""
    rollouts = progress.rollouts
    if not rollouts:
        steps, losses = zip(*progress.points, strict=True) if progress.points else ((), ())
        eval_steps, held_out = (
            zip(*progress.held_out, strict=True) if progress.held_out else ((), ())
        )
        return (_Curve(steps, losses), _Curve(eval_steps, held_out))
    scored = [(r.step, r.reward) for r in rollouts if r.reward is not None]
    return (
        _Curve([step for step, _ in scored], [reward for _, reward in scored]),
        _Curve([r.step for r in rollouts], [r.kl for r in rollouts], "right"),
    )


def _pass_content(index: int, view: PassView, beside: bool, width: int = 0) -> Content:
    detail = _("forced: {detail}").format(detail=view.detail) if view.forced else view.detail
    said = Content(detail).stylize("$text-warning" if view.forced else MUTED)
    name = (padded(view.label, _LABEL_CELLS), "bold")
    head = Content.assemble(checkbox(view.wanted), f" {index + 1}  ", name)
    if beside:
        return Content.assemble(head, said, (f"  {view.time}", "bold"))
    lines = said.wrap(width - _INDENT) if width > 2 * _INDENT else [said]
    below = [Content.assemble(" " * _INDENT, line) for line in lines]
    return Content("\n").join([Content.assemble(head, (view.time, "bold")), *below])


def _figures(progress: TrainingProgress) -> Content:
    if progress.state == "done":
        return _verdicts(progress)
    if not progress.active:
        style = "$text-error" if progress.state == "failed" else "$foreground"
        return Content(progress.message).stylize(style)
    if progress.state == "paused":
        paused = _("Paused. P resumes; nothing learned so far is lost.")
        return Content(paused).stylize("$text-warning")
    if progress.state == "cancelling":
        return Content(_("Canceling…")).stylize("$text-warning")
    whole = Content.assemble(
        (stage_text(progress), "bold"),
        "\n",
        (bar(progress.share, _BAR_CELLS), "$text-warning on $panel"),
        (f"  {run_clock(progress)}", MUTED),
    )
    if not (progress.stage == "learn" and progress.speed) and not progress.rollouts:
        return whole
    speed = _("{speed:.0f} tok/s").format(speed=progress.speed)
    learned = norm = ""
    if progress.learned:
        count, samples = progress.learned
        learned = _("learned {count} of {samples} · ").format(count=count, samples=samples)
    if progress.grad_norm is not None:
        norm = _(" · gradient norm {norm:.2f}").format(norm=progress.grad_norm)
    return Content.assemble(
        whole,
        "\n",
        *_metrics(progress),
        "\n",
        (learned, "bold $text-success"),
        (speed + norm, MUTED),
    )


def _metrics(progress: TrainingProgress) -> list[Content | str | tuple[str, str]]:
    """The latest metrics, in the colors of the plot."""
    if not progress.rollouts:
        loss = _("loss after the first step")
        if progress.points:
            loss = _("loss {loss:.2f}").format(loss=progress.points[-1][1])
        if not progress.held_out:
            return [(loss, "bold")]
        held_out = _("hold-out {loss:.2f}").format(loss=progress.held_out[-1][1])
        return [(loss, "bold $text-primary"), f" {_DOT} ", (held_out, "bold $text-warning")]
    last = progress.rollouts[-1]
    reward = _("no reward")
    if last.reward is not None:
        reward = _("reward {reward:+.2f}").format(reward=last.reward)
    cut = _(" · {share:.0%} cut off").format(share=last.truncated) if last.truncated else ""
    kl = (f"KL {last.kl:.3f}", "bold $text-warning")
    return [(reward, "bold $text-primary"), f" {_DOT} ", kl, (cut, MUTED)]


def _verdicts(progress: TrainingProgress) -> Content:
    """Say what each pass made, and whether it passed its gate."""
    if not progress.finished:
        return Content(progress.message)
    lines = [_verdict(done) for done in progress.finished]
    if sentence := learned(progress.finished):
        lines.insert(0, Content(sentence).stylize("bold"))
    if any(done.held_back for done in progress.finished):
        hint = _("Something got worse; the list below says what. R shows the report, A activates.")
        lines.append(Content(hint))
    elif any(done.learned for done in progress.finished):
        lines.append(Content(_("R shows what you taught, before and after.")))
    lines += [Content(skip.why).stylize("$text-warning") for skip in progress.skipped]
    return Content("\n").join(lines)


def _verdict(done: PassDone) -> Content:
    made = _("{name} made {version}").format(name=pass_label(done.name), version=done.version)
    text, style = _("✓ {made} in {time}"), "bold $text-success"
    if done.held_back:
        text, style = _("! {made}, held back"), "bold $text-warning"
    elif done.name == "reward" and not done.metrics.get("passed"):
        text, style = _("! {made}, not reliable yet"), "bold $text-warning"
    return Content(text.format(made=made, time=clock(done.wall_seconds))).stylize(style)


def _rollout(report: RolloutReport, cells: int) -> Content:
    """Show the latest reply of an RL pass below a line of its prompt."""
    prompt = shortened(harmless(report.prompt), cells - 2)
    return Content.assemble((f"› {prompt}", MUTED), "\n", one_line(harmless(report.reply)))


def _plot(plt: Any, curves: tuple[_Curve, _Curve], steps: int, theme: Theme) -> None:
    plt.clear_figure()
    hues = (theme.primary, theme.warning or theme.primary)
    for curve, marker, hue in zip(curves, ("braille", _DOT), hues, strict=True):
        if curve.values:
            color = Color.parse(hue).rgb
            plt.plot(curve.steps, curve.values, marker=marker, color=color, yside=curve.side)
    plt.xlim(0 if any(0 in curve.steps for curve in curves) else 1, max(steps, 2))
    plt.xticks([1, steps])
    plt.xaxes(True, False)
    plt.yaxes(True, any(curve.side == "right" for curve in curves))
