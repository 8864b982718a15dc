"""How a training run stands: events folded into one value, which the screens draw from."""

from dataclasses import dataclass, replace
from typing import Literal

from core.events import (
    HoldoutReport,
    MaskProof,
    PassDone,
    PassName,
    PassResumed,
    PassSkipped,
    PassStarted,
    RolloutReport,
    StepReport,
    TuningCancelled,
    TuningDone,
    TuningFailed,
    TuningStarted,
)
from tui.text import clock, counted

LABELS: dict[PassName, str] = {
    "sft": "SFT",
    "kto": "KTO",
    "dpo": "DPO",
    "reward": "Reward",
    "rl": "RL",
}

TuningEvent = (
    TuningStarted
    | PassStarted
    | MaskProof
    | PassResumed
    | StepReport
    | HoldoutReport
    | RolloutReport
    | PassDone
    | PassSkipped
    | TuningDone
    | TuningCancelled
    | TuningFailed
)

State = Literal["running", "paused", "cancelling", "done", "cancelled", "failed"]


@dataclass(frozen=True)
class Progress:
    """One run, from its start to its end."""

    state: State = "running"
    name: PassName | None = None
    """The pass under way, or the last one."""
    step: float = 0.0
    steps: int = 0
    points: tuple[tuple[float, float], ...] = ()
    """(step, loss) of the pass, one a whole step."""
    held_out: tuple[tuple[float, float], ...] = ()
    """(step, loss on what was held out), a few in a pass."""
    speed: float = 0.0
    """Tokens a second."""
    eta: float | None = None
    rollouts: tuple[RolloutReport, ...] = ()
    """Of the RL pass, one a step."""
    proof: MaskProof | None = None
    """Which tokens the pass learns from."""
    finished: tuple[PassDone, ...] = ()
    skipped: tuple[PassSkipped, ...] = ()
    message: str = ""
    """How it ended, as a sentence."""

    @property
    def active(self) -> bool:
        return self.state in ("running", "paused", "cancelling")

    @property
    def losses(self) -> list[float]:
        return [loss for _, loss in self.points]


def advanced(progress: Progress | None, event: TuningEvent) -> Progress:
    """`progress` after `event`."""
    now = progress or Progress()
    match event:
        case TuningStarted():
            return now if now.active else Progress()
        case PassStarted():
            return replace(
                now,
                name=event.name,
                step=0.0,
                steps=event.steps,
                points=(),
                held_out=(),
                rollouts=(),
                speed=0.0,
                eta=None,
            )
        case MaskProof():
            return replace(now, proof=event)
        case PassResumed():
            points = tuple((float(step), loss) for step, loss in enumerate(event.losses, 1))
            return replace(now, step=float(len(points)), steps=event.steps, points=points)
        case StepReport():
            return _stepped(now, event)
        case HoldoutReport(_, step, _, loss):
            return replace(now, held_out=(*now.held_out, (float(step), loss)))
        case RolloutReport():
            return replace(now, rollouts=(*now.rollouts, event))
        case PassSkipped():
            return replace(now, skipped=(*now.skipped, event))
        case PassDone():
            points = tuple((float(step), loss) for step, loss in enumerate(event.losses, 1))
            return replace(
                now,
                name=event.name,
                step=float(event.steps),
                steps=event.steps,
                points=points,
                eta=0.0,
                finished=(*now.finished, event),
            )
        case TuningDone():
            return replace(now, state="done", message=_done_sentence(event, now.skipped))
        case TuningCancelled():
            return replace(now, state="cancelled", message=_cancelled_sentence(event))
        case TuningFailed():
            return replace(now, state="failed", message=str(event.error))


def told(event: TuningEvent) -> str:
    """The event as a line of the log; empty for those that come many times."""
    match event:
        case TuningStarted(passes):
            return f"Began: {', '.join(LABELS[name] for name in passes)}."
        case PassStarted(name, steps, records, replayed):
            again = f" and {replayed} replayed" if replayed else ""
            return (
                f"{LABELS[name]}: {counted(steps, 'step')} on {counted(records, 'record')}{again}."
            )
        case MaskProof():
            return (
                f"{LABELS[event.name]}: checked {counted(event.samples, 'sample')};"
                f" {event.trained:,} of {event.tokens:,} tokens carry loss,"
                f" {event.padding:.0%} padding."
            )
        case PassResumed(name, steps, losses):
            return f"{LABELS[name]}: goes on after step {len(losses)} of {steps}."
        case HoldoutReport(name, step, steps, loss):
            return f"{LABELS[name]}: step {step} of {steps}, hold-out loss {loss:.2f}."
        case RolloutReport():
            reward = "no reply ended" if event.reward is None else f"reward {event.reward:+.2f}"
            return f"RL: step {event.step} of {event.steps}, {reward}, KL {event.kl:.3f}."
        case PassDone():
            return _finished(event)
        case PassSkipped(name, why):
            return f"{LABELS[name]}: skipped. {why}"
        case TuningDone():
            return f"Done. {event.adapter} is adopted." if event.adapter else "Done."
        case TuningCancelled():
            return _cancelled_sentence(event)
        case TuningFailed(error):
            return f"Failed. {error}"
    return ""


def _finished(done: PassDone) -> str:
    losses = f", loss {done.losses[0]:.2f} → {done.losses[-1]:.2f}" if done.losses else ""
    held = f" Held back: {' '.join(done.held_back)}" if done.held_back else ""
    return f"{LABELS[done.name]}: made {done.version} in {clock(done.seconds)}{losses}.{held}"


def _stepped(now: Progress, report: StepReport) -> Progress:
    points = now.points
    last = points[-1][0] if points else 0.0
    if report.loss is not None and int(report.step) > last:
        points = (*points, (float(int(report.step)), report.loss))
    return replace(
        now,
        name=report.name,
        step=report.step,
        steps=report.steps,
        points=points,
        speed=report.tokens_per_second,
        eta=report.eta_seconds,
    )


def _done_sentence(event: TuningDone, skipped: tuple[PassSkipped, ...]) -> str:
    made = [
        f"{LABELS[done.name]} made {done.version} in {clock(done.seconds)}" for done in event.passes
    ]
    sentences = [f"Done: {', '.join(made)}." if made else "Done."]
    sentences += [
        f"{done.version} got worse, so it is held back; F5 says why."
        for done in event.passes
        if done.held_back
    ]
    return " ".join([*sentences, *(skip.why for skip in skipped)])


def _cancelled_sentence(event: TuningCancelled) -> str:
    if not event.finished:
        return "Cancelled. Nothing was changed."
    kept = ", ".join(done.version for done in event.finished)
    return f"Cancelled. {counted(len(event.finished), 'finished pass')} kept: {kept}."
