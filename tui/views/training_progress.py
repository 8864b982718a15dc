"""Progress of a training run: the worker's events folded into one immutable value."""

from collections.abc import Sequence
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
from core.stop_reasons import translated
from store.i18n import N_, _, join_sentences
from tui.text_format import clock, counted, harmless, shortened

LABELS: dict[PassName, str] = {
    "sft": "SFT",
    "kto": "KTO",
    "dpo": "DPO",
    "reward": N_("Reward"),
    "rl": "RL",
}

_NAMED, _PROMPT_CELLS = 3, 32
"""Prompts that are named where they resisted, and the width of each."""

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
class TrainingProgress:
    state: State = "running"
    name: PassName | None = None
    """The current or last pass."""
    step: float = 0.0
    steps: int = 0
    points: tuple[tuple[float, float], ...] = ()
    """(step, training loss) of the pass, one per full step."""
    held_out: tuple[tuple[float, float], ...] = ()
    """(step, hold-out loss) of the pass, a few of them."""
    speed: float = 0.0
    """Tokens per second."""
    grad_norm: float | None = None
    """Norm of the gradient at the latest weight update."""
    learned: tuple[int, int] | None = None
    """How many replies are learned so far, and of how many."""
    eta: float | None = None
    """Seconds left in the pass."""
    rollouts: tuple[RolloutReport, ...] = ()
    """One per step of the RL pass."""
    proof: MaskProof | None = None
    """Result of the mask check before the pass."""
    finished: tuple[PassDone, ...] = ()
    skipped: tuple[PassSkipped, ...] = ()
    message: str = ""
    """How the run ended, as a sentence."""

    @property
    def active(self) -> bool:
        return self.state in ("running", "paused", "cancelling")

    @property
    def losses(self) -> list[float]:
        return [loss for _, loss in self.points]


def pass_label(name: PassName) -> str:
    return _(LABELS[name])


def advance(progress: TrainingProgress | None, event: TuningEvent) -> TrainingProgress:
    """Return `progress` as it is after `event`."""
    now = progress or TrainingProgress()
    match event:
        case TuningStarted():
            return now if now.active else TrainingProgress()
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
                grad_norm=None,
                learned=None,
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


def describe(event: TuningEvent) -> str:
    """Describe an event as a log line; empty for frequent events."""
    match event:
        case TuningStarted(passes):
            return _("Started: {passes}.").format(passes=_(", ").join(map(pass_label, passes)))
        case PassStarted(name, steps, records, replayed):
            text = _("{name}: {steps} on {records}.")
            if replayed:
                text = _("{name}: {steps} on {records} and {replayed} replayed.")
            return text.format(
                name=pass_label(name),
                steps=counted(steps, "step"),
                records=counted(records, "record"),
                replayed=replayed,
            )
        case MaskProof():
            return _(
                "{name}: checked {samples}; {trained:,} of {tokens:,} tokens carry loss, "
                "{padding:.0%} padding."
            ).format(
                name=pass_label(event.name),
                samples=counted(event.samples, "sample"),
                trained=event.trained,
                tokens=event.tokens,
                padding=event.padding,
            )
        case PassResumed(name, steps, losses):
            return _("{name}: resumed after step {step} of {steps}.").format(
                name=pass_label(name), step=len(losses), steps=steps
            )
        case HoldoutReport(name, step, steps, loss):
            return _("{name}: step {step} of {steps}, hold-out loss {loss:.2f}.").format(
                name=pass_label(name), step=step, steps=steps, loss=loss
            )
        case RolloutReport():
            reward = _("no complete reply")
            if event.reward is not None:
                reward = _("reward {reward:+.2f}").format(reward=event.reward)
            return _("RL: step {step} of {steps}, {reward}, KL {kl:.3f}.").format(
                step=event.step, steps=event.steps, reward=reward, kl=event.kl
            )
        case PassDone():
            return _pass_summary(event)
        case PassSkipped(name, why):
            return _("{name}: skipped. {why}").format(name=pass_label(name), why=why)
        case TuningDone():
            if event.adapter:
                return _("Done. {version} is activated.").format(version=event.adapter)
            return _("Done.")
        case TuningCancelled():
            return _cancelled_sentence(event)
        case TuningFailed(error):
            return _("Failed. {error}").format(error=error)
    return ""


def learned(passes: Sequence[PassDone]) -> str:
    """Say what the last pass that was asked so has learned of what was taught, in a sentence.

    What resisted is named. Empty if no pass was asked.
    """
    asked = [done for done in passes if done.learned]
    if not asked:
        return ""
    last = asked[-1]
    assert last.learned is not None
    right, count = last.learned
    sentence = _("Learned {right} of {asked}.")
    if not last.resisted:
        return sentence.format(right=right, asked=count)
    named = [f"“{shortened(harmless(p), _PROMPT_CELLS)}”" for p in last.resisted[:_NAMED]]
    sentence = _("Learned {right} of {asked}, not yet {prompts}.")
    if len(last.resisted) > _NAMED:
        sentence = _("Learned {right} of {asked}, not yet {prompts} and {more} more.")
    return sentence.format(
        right=right, asked=count, prompts=_(", ").join(named), more=len(last.resisted) - _NAMED
    )


def _pass_summary(done: PassDone) -> str:
    parts = [
        learned([done]),
        _("{name}: made {version} in {time}.").format(
            name=pass_label(done.name), version=done.version, time=clock(done.seconds)
        ),
    ]
    if done.losses:
        first, last = done.losses[0], done.losses[-1]
        parts.append(_("Loss {first:.2f} → {last:.2f}.").format(first=first, last=last))
    if done.ended_early:
        parts.append(_("Ended early: {why}.").format(why=translated(done.ended_early)))
    if done.held_back:
        reasons = _("; ").join(map(translated, done.held_back))
        parts.append(_("Held back: {reasons}.").format(reasons=reasons))
    return join_sentences(parts)


def _stepped(now: TrainingProgress, report: StepReport) -> TrainingProgress:
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
        grad_norm=report.grad_norm,
        learned=report.learned,
        eta=report.eta_seconds,
    )


def _done_sentence(event: TuningDone, skipped: tuple[PassSkipped, ...]) -> str:
    made = [
        _("{name} made {version} in {time}").format(
            name=pass_label(done.name), version=done.version, time=clock(done.seconds)
        )
        for done in event.passes
    ]
    parts = [
        learned(event.passes),
        _("Done: {made}.").format(made=_(", ").join(made)) if made else _("Done."),
    ]
    parts += [
        _("{version} got worse and is held back; its report says why.").format(version=done.version)
        for done in event.passes
        if done.held_back
    ]
    return join_sentences([*parts, *(skip.why for skip in skipped)])


def _cancelled_sentence(event: TuningCancelled) -> str:
    if not event.finished:
        return _("Canceled. Nothing was changed.")
    kept = _(", ").join(done.version for done in event.finished)
    return _("Canceled. {passes} kept: {kept}.").format(
        passes=counted(len(event.finished), "finished pass"), kept=kept
    )
