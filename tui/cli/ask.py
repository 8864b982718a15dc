"""`tutee ask`: one reply, or a file of them, without a screen.

Nothing is stored: a script's questions are not the person's conversations.
"""

import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import TypeAdapter, ValidationError

from core.adapters.registry import Adapters
from data.training_split import with_system
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Sampling
from tui.cli.i18n import AGAIN, Command
from tui.cli.invocation import Invocation
from tui.controllers.presets import sampling_settings

if TYPE_CHECKING:
    from core.serving.engine import Engine

_WINDOW = 64
"""Prompts answered together: enough to sort by length, few enough to see results coming."""
_TURNS: TypeAdapter[tuple[ChatMessage, ...]] = TypeAdapter(tuple[ChatMessage, ...])


def _sampling_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each thing that can be set about how replies are drawn."""
    kinds = {"whole": int, "number": float}
    for setting in reversed(sampling_settings()):
        many = setting.kind == "texts"
        option = click.option(
            f"--{setting.name.replace('_', '-')}",
            setting.name,
            type=kinds.get(setting.kind, str),
            multiple=many,
            metavar="TEXT" if many else "N",
            help=AGAIN.format(help=setting.help) if many else setting.help,
        )
        command = option(command)
    return command


@click.command(cls=Command)
@click.argument("prompt", required=False)
@click.option("--system", metavar="TEXT", help="In place of the system prompt of the settings.")
@click.option("--greedy", is_flag=True, help="The most likely token each time.")
@_sampling_options
@click.option("--adapter", metavar="VERSION", help="A version, or `base`; default: the active one.")
@click.option(
    "--batch",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE.jsonl",
    help='One {"prompt": …} or {"messages": […]} a line; "reply" is added to each.',
)
@click.pass_obj
def ask(
    invocation: Invocation,
    prompt: str | None,
    system: str | None,
    greedy: bool,
    adapter: str | None,
    batch: Path | None,
    **asked: Any,
) -> None:
    """Answer PROMPT (or standard input) on standard output.

    What is not given is as in the settings.
    """
    if batch and prompt:
        raise click.UsageError(_("Give a prompt or --batch, not both."))
    rows = _read_batch(batch) if batch else []
    if not batch:
        prompt = prompt or _from_stdin()
    sampling = _sampling(invocation.config.sampling, greedy, asked)
    engine = _engine(invocation, adapter)
    seed = random.randrange(2**31) if sampling.seed is None else sampling.seed
    system = invocation.config.chat.system_prompt if system is None else system
    if batch:
        _answer_rows(engine, rows, system, sampling, seed)
        return
    turns = with_system((ChatMessage(role="user", content=prompt or ""),), system)
    for text in engine.stream(turns, sampling, seed, lambda: False):
        click.echo(text, nl=False)
        sys.stdout.flush()
    click.echo()


def _sampling(default: Sampling, greedy: bool, asked: dict[str, Any]) -> Sampling:
    """`default` with what was asked for, by the names of its fields."""
    changes: dict[str, Any] = {}
    if greedy:
        changes = {"temperature": 0.0, "top_p": 1.0, "repetition_penalty": 1.0}
    changes |= {name: value for name, value in asked.items() if value not in (None, ())}
    try:
        return Sampling.model_validate({**default.model_dump(), **changes})
    except ValidationError as error:
        known = {setting.name: setting for setting in sampling_settings()}
        setting = known[str(error.errors()[0]["loc"][0])]
        raise click.BadParameter(
            _("{name} must be {bounds}.").format(name=setting.label, bounds=setting.bounds)
        ) from error


def _from_stdin() -> str:
    if sys.stdin.isatty():
        raise click.UsageError(_("Give a prompt, or write one to standard input."))
    prompt = sys.stdin.read().strip()
    if not prompt:
        raise TuteeError(_("The prompt is empty."), _('Give one: tutee ask "…"'))
    return prompt


def _engine(invocation: Invocation, adapter: str | None) -> "Engine":
    folder = invocation.found_model()
    adapters = Adapters(invocation.paths.models, folder)
    path = adapters.path(adapter or adapters.active())
    from core.serving.engine import Engine

    return Engine(folder, path, invocation.config.serving)


def _read_batch(path: Path) -> list[dict[str, Any]]:
    """The rows of a batch file, all checked before the first is answered."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TuteeError(_("Cannot read {path}: {why}.").format(path=path, why=error)) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            _turns(row)
        except (ValueError, ValidationError, KeyError, TypeError) as error:
            raise TuteeError(
                _("Line {number} of {path} is not a prompt.").format(number=number, path=path),
                _(
                    'Each line must be {"prompt": "…"} or '
                    '{"messages": [{"role": …, "content": …}]}.'
                ),
            ) from error
        rows.append(row)
    if not rows:
        raise TuteeError(_("{path} holds no prompts.").format(path=path))
    return rows


def _turns(row: dict[str, Any]) -> tuple[ChatMessage, ...]:
    if "messages" in row:
        turns = _TURNS.validate_python(row["messages"])
    else:
        turns = (ChatMessage(role="user", content=row["prompt"]),)
    if not turns or turns[-1].role != "user":
        raise ValueError("the last message must be the user's")
    return turns


def _answer_rows(
    engine: "Engine",
    rows: Sequence[dict[str, Any]],
    system_prompt: str,
    sampling: Sampling,
    seed: int,
) -> None:
    for window in _windows(rows):
        prompts = [with_system(_turns(row), system_prompt) for row in window]
        for row, reply in zip(window, engine.batch(prompts, sampling, seed), strict=True):
            click.echo(json.dumps({**row, "reply": reply}, ensure_ascii=False))
        sys.stdout.flush()


def _windows(rows: Sequence[dict[str, Any]]) -> list[Sequence[dict[str, Any]]]:
    return [rows[start : start + _WINDOW] for start in range(0, len(rows), _WINDOW)]
