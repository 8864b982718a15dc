"""`tutee train`: run the training of the app from the command line."""

import sys
from dataclasses import asdict
from typing import Any, get_args

import click
from rich.console import Console

from core.adapters.registry import Adapters
from core.config import TUNING_PRESETS, Config, parse, read
from core.config_file import with_value
from core.events import (
    Event,
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
    latest_activatable,
)
from core.runs import run, saved_run
from core.runs.plan import make_plan
from core.runs.plan_notes import plan_notes
from core.runs.saved_run import SavedRun
from core.runtime.scheduler import Cancelled
from core.stop_reasons import translated
from core.training.run_control import RunControl
from store.errors import TuteeError
from store.i18n import N_, _, ngettext
from store.repository import Repository
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation
from tui.cli.json_output import echo_json
from tui.cli.token_mask import render_tokens
from tui.terminal.output import redraw_line, styled
from tui.text_format import harmless

_STAGES: dict[Stage, str] = {
    "prepare": N_("records"),
    "base": N_("replies of the base"),
    "before": N_("exam before"),
    "learn": N_("steps"),
    "after": N_("exam after"),
    "save": N_("saving"),
}


def parse_passes(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> frozenset[PassName] | None:
    """Parse an option that names passes."""
    if value is None:
        return None
    known = get_args(PassName)
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise click.BadParameter(
            _("choose from {names}, separated by commas").format(names=", ".join(known))
        )
    return frozenset(names)  # type: ignore[arg-type]


@click.command(cls=LocalizedCommand)
@click.option(
    "--passes",
    callback=parse_passes,
    metavar="sft,kto,dpo,reward,rl",
    help="Run these even below their thresholds; default: those that are ready.",
)
@click.option(
    "--epochs", type=click.IntRange(min=1, max=100), metavar="N", help="Train for N epochs."
)
@click.option(
    "--preset",
    type=click.Choice(list(TUNING_PRESETS)),
    help="Train with these defaults; the settings in your file still win.",
)
@click.option(
    "--rebuild", is_flag=True, help="Start from the base model and learn everything again."
)
@click.option("--resume", is_flag=True, help="Continue the interrupted run.")
@click.option("--show-mask", is_flag=True, help="Show which tokens of a few samples are learned.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one line of JSON.")
@click.pass_obj
def train(
    invocation: Invocation,
    passes: frozenset[PassName] | None,
    epochs: int | None,
    preset: str | None,
    rebuild: bool,
    resume: bool,
    show_mask: bool,
    as_json: bool,
) -> None:
    """Learn from the feedback and activate the new adapter.

    Progress goes to standard error, and the result to standard output as one JSON object. Ctrl+C
    stops the run at once; --resume continues it.
    """
    if resume and (passes or epochs or preset or rebuild):
        raise click.UsageError(_("--resume continues the run with its original options."))
    run_control = RunControl(emit=lambda event: _show(event, show_mask))
    done: list[PassDone] = []
    with invocation.home() as repository:
        adapters = Adapters(invocation.paths.models, invocation.found_model())
        try:
            if resume:
                run.resume(_interrupted(repository, adapters), run_control, done.append)
            else:
                plan = make_plan(
                    repository.trainable(),
                    adapters,
                    _config(invocation, epochs, preset),
                    passes,
                    rebuild=rebuild,
                )
                for note in plan_notes(plan):
                    click.echo(note, err=True)
                run.run(plan, run_control, done.append)
        except (Cancelled, KeyboardInterrupt):
            raise TuteeError(
                _("Stopped."), _("`tutee train --resume` continues where it stopped.")
            ) from None
        finally:
            # A pass that finished before a later one failed is complete, so use it.
            made = latest_activatable(done)
            if made and invocation.config.tuning.activate == "auto":
                adapters.use(made)
            elif made:
                text = _("{version} is ready; `tutee adapters use {version}` uses it.")
                _show_line(text.format(version=made), sys.stderr.isatty())
    result = _result(done, adapters)
    echo_json(result, indent=None if as_json else 2)


def _config(invocation: Invocation, epochs: int | None, preset: str | None) -> Config:
    """Return the settings with the options applied."""
    config = invocation.config
    if preset:
        path = invocation.paths.config_file
        chosen = parse(with_value(read(path), "tuning", "preset", preset), path)
        config = config.model_copy(update={"tuning": chosen.tuning})
    if epochs:
        # The number asked for, without repeating a small set.
        tuning, once = config.tuning, {"minimum_steps": 1}
        exactly = {
            "epochs": epochs,
            "sft": tuning.sft.model_copy(update=once),
            "preference": tuning.preference.model_copy(update=once),
        }
        config = config.model_copy(update={"tuning": tuning.model_copy(update=exactly)})
    return config


def _interrupted(repository: Repository, adapters: Adapters) -> SavedRun:
    found = saved_run.unfinished(adapters, repository.trainable())
    if found is None:
        raise TuteeError(_("No run was interrupted."), _("`tutee train` starts one."))
    return found


def _result(done: list[PassDone], adapters: Adapters) -> dict[str, Any]:
    """Return the figures of the first pass (SFT if it ran), and every pass in full."""
    if not done:
        return {"version": None, "active": adapters.active(), "passes": []}
    first = done[0]
    return {
        "version": first.version,
        "steps": first.steps,
        "losses": first.losses,
        "seconds": round(first.seconds, 2),
        "trained_tokens": first.trained_tokens,
        "active": adapters.active(),
        "passes": [asdict(finished) for finished in done],
    }


def _show(event: Event, show_mask: bool) -> None:
    live = sys.stderr.isatty()
    match event:
        case MaskProof() if show_mask:
            _show_mask(event)
        case StageReport(stage, done, total) if total and (live or done in (0, total)):
            text = _("{stage}: {done} of {total}")
            name = _(_STAGES[stage])
            _show_line(text.format(stage=name, done=done, total=total), live, end=not live)
        case PassResumed():
            text = _("{name}: resuming after step {step}")
            _show_line(text.format(name=event.name, step=len(event.losses)), live)
        case PassStarted():
            text = _("{name}: {records} records, {steps} steps")
            if event.replayed:
                text = _("{name}: {records} records + {replayed} replayed, {steps} steps")
            _show_line(text.format(**vars(event)), live)
        case StepReport() if live or event.step == int(event.step):
            loss = "–" if event.loss is None else f"{event.loss:.3f}"
            norm = "–" if event.grad_norm is None else f"{event.grad_norm:.2f}"
            count, samples = event.learned or ("–", "–")
            line = _(
                "{name} {step:.1f}/{steps}  loss {loss}  learned {count}/{samples}  "
                "gradient {norm}  {speed:.0f} tok/s  {seconds:.0f} s left"
            ).format(
                count=count,
                samples=samples,
                name=event.name,
                step=event.step,
                steps=event.steps,
                loss=loss,
                norm=norm,
                speed=event.tokens_per_second,
                seconds=event.eta_seconds,
            )
            _show_line(line, live, end=not live)
        case RolloutReport():
            reward = "–" if event.reward is None else f"{event.reward:+.2f}"
            line = _(
                "rl {step}/{steps}  reward {reward}  KL {kl:.3f}  {truncated:.0%} cut off"
            ).format(
                step=event.step,
                steps=event.steps,
                reward=reward,
                kl=event.kl,
                truncated=event.truncated,
            )
            _show_line(line, live, end=not live)
        case PassDone():
            _show_line(_describe_result(event), live)
        case PassSkipped():
            _show_line(event.why, live)


def _show_line(line: str, live: bool, *, end: bool = True) -> None:
    if live:
        redraw_line(line)
    if end:
        click.echo("" if live else line, err=True)


def _describe_result(event: PassDone) -> str:
    parts = [
        _("{name}: {version} saved after {seconds:.1f} s").format(
            name=event.name, version=event.version, seconds=event.wall_seconds
        )
    ]
    if event.learned:
        right, asked = event.learned
        parts.insert(0, _("learned {right} of {asked}").format(right=right, asked=asked))
    if event.resisted:
        named = _(", ").join(f"“{harmless(prompt)}”" for prompt in event.resisted)
        parts.append(_("not yet {prompts}").format(prompts=named))
    if event.ended_early:
        parts.append(_("ended early: {why}").format(why=translated(event.ended_early)))
    if event.held_back:
        parts.append(
            _("held back: {reasons}").format(reasons=_("; ").join(map(translated, event.held_back)))
        )
    return _("; ").join(parts)


def _show_mask(proof: MaskProof) -> None:
    console = Console(file=styled(sys.stderr), highlight=False, soft_wrap=True)
    console.print(
        ngettext(
            "{name}: {trained:,} of {tokens:,} tokens in {count:,} sample are learned:",
            "{name}: {trained:,} of {tokens:,} tokens in {count:,} samples are learned:",
            proof.samples,
        ).format(name=proof.name, trained=proof.trained, tokens=proof.tokens, count=proof.samples)
    )
    for pieces in proof.shown:
        console.print(render_tokens(pieces, console))
