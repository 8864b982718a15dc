"""Progress of a training run: the worker's events folded into one immutable value.

One bar and one clock cover the whole run, exams included. Seconds are those of a clock that only
rises; what is left comes from the estimate of the plan, and from the current stage as far as it
knows better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    Stage,
    StageReport,
    StepReport,
    TuningCancelled,
    TuningDone,
    TuningFailed,
    TuningStarted,
)
from core.stop_reasons import translated
from store.i18n import N_, _, join_sentences, ngettext
from tui.text_format import clock, counted, harmless, shortened

LABELS: dict[PassName, str] = {
    "sft": N_("Imitate (SFT)"),
    "kto": N_("Avoid (KTO)"),
    "dpo": N_("Prefer (DPO)"),
    "reward": N_("Judge (reward model)"),
    "rl": N_("Reinforce (RL)"),
}
EXPLANATIONS: dict[PassName, str] = {
    "sft": N_("repeats what you wrote or liked."),
    "kto": N_("turns from 👎 towards 👍."),
    "dpo": N_("favors the reply you chose."),
    "reward": N_("learns to score like you."),
    "rl": N_("practices; the judge keeps score."),
}
"""What each pass does, in the words after its number."""
_TELLING = 0.25
"""Share of a stage from which its own pace says more than the estimate: of replies drawn side by
side, most end late."""

_NAMED, _PROMPT_CELLS = 3, 32
"""Prompts that are named where they resisted, and the width of each."""

TuningEvent = (
    TuningStarted
    | StageReport
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
    passes: tuple[PassName, ...] = ()
    """Those of the run."""
    expected: Mapping[PassName, Mapping[Stage, float]] = field(default_factory=dict)
    """Estimated seconds of each stage of each pass."""
    began: float = 0.0
    at: float = 0.0
    """The time of the latest event or tick."""
    stage: Stage = "prepare"
    stage_began: float = 0.0
    counted: tuple[int, int] = (0, 0)
    """How many questions or replies of the stage are done, and of how many."""
    over: frozenset[Stage] = frozenset()
    """The stages of the pass that are behind it."""
    share: float = 0.0
    """How much of the whole run is done; never falls."""
    left: float | None = None
    """Seconds left in the whole run; None where nothing is known."""
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
    """Seconds left in the training of the pass."""
    eta_at: float = 0.0
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
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.at - self.began

    @property
    def losses(self) -> list[float]:
        return [loss for _, loss in self.points]


def pass_label(name: PassName) -> str:
    return _(LABELS[name])


def stage_text(progress: TrainingProgress) -> str:
    """Name what the run is doing, with its count."""
    done, total = progress.counted
    if progress.stage == "learn" and progress.name is not None:
        return f"{pass_label(progress.name)} {int(progress.step)}/{progress.steps}"
    text = {
        "prepare": _("Reading records, loading the model"),
        "base": _("Drawing the base's replies"),
        "before": _("Exam before"),
        "learn": _("Learning"),
        "after": _("Exam after"),
        "save": _("Saving the version"),
    }[progress.stage]
    return f"{text} {done}/{total}" if total else text


def run_clock(progress: TrainingProgress) -> str:
    """Say how long the run has taken, and how long it will."""
    elapsed = clock(progress.elapsed)
    if progress.left is None:
        return elapsed
    return _("{elapsed} · {left} left").format(elapsed=elapsed, left=clock(progress.left))


def ticked(progress: TrainingProgress, at: float) -> TrainingProgress:
    """Return `progress` at the time `at`, with what is left of the whole run by then."""
    if not progress.active:
        return progress
    progress = replace(progress, at=at)
    left = _left(progress)
    if left is None or progress.state != "running":
        return progress
    whole = progress.elapsed + left
    share = max(progress.share, min(progress.elapsed / whole, 0.99) if whole else 0.0)
    return replace(progress, left=left, share=share)


def _left(progress: TrainingProgress) -> float | None:
    """Estimate the seconds left in the whole run."""
    if not progress.expected:
        return None
    done = {one.name for one in progress.finished} | {one.name for one in progress.skipped}
    to_come = [name for name in progress.passes if name not in done]
    if not to_come:
        return 0.0
    # A pass says its name only after its first records have been read.
    current = progress.name if progress.name in to_come else to_come[0]
    stages = progress.expected.get(current, {})
    behind = {*progress.over, progress.stage}
    left = sum(seconds for stage, seconds in stages.items() if stage not in behind)
    left += sum(
        sum(progress.expected.get(name, {}).values()) for name in to_come if name != current
    )
    return left + _left_in_stage(progress, stages.get(progress.stage, 0.0))


def _left_in_stage(progress: TrainingProgress, expected: float) -> float:
    if progress.stage == "learn" and progress.eta is not None:
        return max(progress.eta - (progress.at - progress.eta_at), 0.0)
    done, total = progress.counted
    spent = progress.at - progress.stage_began
    if total and done / total > _TELLING:
        return spent * (total - done) / done
    # What takes longer than was estimated takes half as long again, as far as anybody knows.
    return max(expected - spent, spent / 2)


def advance(
    progress: TrainingProgress | None, event: TuningEvent, at: float = 0.0
) -> TrainingProgress:
    """Return `progress` as it is after `event`, which came at the time `at`."""
    return ticked(_advanced(progress or TrainingProgress(), event, at), at)


def _advanced(now: TrainingProgress, event: TuningEvent, at: float) -> TrainingProgress:
    match event:
        case TuningStarted():
            now = now if now.active else TrainingProgress()
            return replace(
                now, passes=event.passes, expected=event.expected, began=at, stage_began=at
            )
        case StageReport(stage, done, total):
            if done:
                return replace(now, counted=(done, total))
            over = now.over | {now.stage} if now.stage != stage else now.over
            return replace(now, stage=stage, stage_began=at, counted=(0, total), over=over)
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
            return replace(_stepped(now, event), eta_at=at)
        case HoldoutReport(_, step, _, loss):
            return replace(now, held_out=(*now.held_out, (float(step), loss)))
        case RolloutReport():
            return replace(now, rollouts=(*now.rollouts, event))
        case PassSkipped():
            return _next_pass(replace(now, skipped=(*now.skipped, event)), at)
        case PassDone():
            points = tuple((float(step), loss) for step, loss in enumerate(event.losses, 1))
            finished = replace(
                now,
                name=event.name,
                step=float(event.steps),
                steps=event.steps,
                points=points,
                eta=0.0,
                finished=(*now.finished, event),
            )
            return _next_pass(finished, at)
        case TuningDone():
            return replace(now, state="done", message=_done_sentence(event, now.skipped))
        case TuningCancelled():
            return replace(now, state="cancelled", message=_cancelled_sentence(event))
        case TuningFailed():
            return replace(now, state="failed", message=str(event.error))


def _next_pass(now: TrainingProgress, at: float) -> TrainingProgress:
    """Return `now` with the stages of a pass to come."""
    return replace(now, stage="prepare", stage_began=at, counted=(0, 0), over=frozenset())


def describe(event: TuningEvent) -> str:
    """Describe an event as a log line; empty for frequent events."""
    match event:
        case TuningStarted(passes):
            return _("Started: {passes}.").format(passes=_(", ").join(map(pass_label, passes)))
        case StageReport(stage, 0, total):
            return _stage_began(stage, total)
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
                "{name}: checked {samples}; {trained:,} of {tokens:,} tokens are learned, "
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
                return _("Done. {version} is ready.").format(version=event.adapter)
            return _("Done.")
        case TuningCancelled():
            return _cancelled_sentence(event)
        case TuningFailed(error):
            return _("Failed. {error}").format(error=error)
    return ""


def _stage_began(stage: Stage, total: int) -> str:
    match stage:
        case "base":
            text = ngettext(
                "Drawing {count} reply of the base, which is kept for later runs.",
                "Drawing {count} replies of the base, which are kept for later runs.",
                total,
            )
        case "before" if total:
            text = ngettext(
                "Exam before the training: {count} question.",
                "Exam before the training: {count} questions.",
                total,
            )
        case "before":
            text = _("Exam before the training: all answers are known.")
        case "after":
            text = ngettext(
                "Exam after the training: {count} question.",
                "Exam after the training: {count} questions.",
                total,
            )
        case "save":
            text = _("Saving the version.")
        case _:
            text = ""
    return text.format(count=total)


def learned(passes: Sequence[PassDone], *, named: bool = True) -> str:
    """Say what the last pass that was asked so has learned of what was taught, in a sentence.

    Empty if no pass was asked.

    Args:
        named: Name what resisted.
    """
    asked = [done for done in passes if done.learned]
    if not asked:
        return ""
    last = asked[-1]
    assert last.learned is not None
    right, count = last.learned
    sentence = _("{right} of {asked} now as you taught.")
    if not (last.resisted and named):
        return sentence.format(right=right, asked=count)
    prompts = [f"“{shortened(harmless(p), _PROMPT_CELLS)}”" for p in last.resisted[:_NAMED]]
    sentence = _("{right} of {asked} now as you taught, not yet {prompts}.")
    if len(last.resisted) > _NAMED:
        sentence = _("{right} of {asked} now as you taught, not yet {prompts} and {more} more.")
    return sentence.format(
        right=right, asked=count, prompts=_(", ").join(prompts), more=len(last.resisted) - _NAMED
    )


def _pass_summary(done: PassDone) -> str:
    parts = [
        learned([done]),
        _("{name}: made {version} in {time}.").format(
            name=pass_label(done.name), version=done.version, time=clock(done.wall_seconds)
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
    if now.stage != "learn":
        now = replace(now, stage="learn", over=now.over | {now.stage})
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
            name=pass_label(done.name), version=done.version, time=clock(done.wall_seconds)
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
