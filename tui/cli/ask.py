"""`tutee ask`: answer one prompt, or a file of prompts, without the app.

Nothing is stored: prompts of scripts are not the user's conversations.
"""

import json
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import TypeAdapter, ValidationError

from core.adapters.registry import Adapters
from core.recall import Recall, placed
from data.thoughts import ThoughtStream, split_thoughts
from data.training_split import with_system
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Sampling
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation, json_option
from tui.cli.json_output import echo_json
from tui.controllers.presets import sampling_settings

if TYPE_CHECKING:
    from core.recall import Example
    from core.serving.engine import Engine

Recalled = Callable[[Sequence[ChatMessage]], Sequence["Example"]]
"""Finds the records to put before the last of some messages."""

_WINDOW = 64
"""Prompts answered together: enough to sort by length, few enough to stream results."""
_MESSAGES: TypeAdapter[tuple[ChatMessage, ...]] = TypeAdapter(tuple[ChatMessage, ...])


def _sampling_options(command: Callable[..., None]) -> Callable[..., None]:
    kinds = {"whole": int, "number": float, "switch": bool}
    for setting in reversed(sampling_settings()):
        repeated = setting.kind == "texts"
        option = click.option(
            f"--{setting.name.replace('_', '-')}",
            setting.name,
            type=kinds.get(setting.kind, str),
            multiple=repeated,
            is_flag=setting.kind == "switch",
            default=None,
            metavar=None if setting.kind == "switch" else "TEXT" if repeated else "N",
            help=setting.help,
        )
        command = option(command)
    return command


@click.command(cls=LocalizedCommand)
@click.argument("prompt", required=False)
@click.option("--system", metavar="TEXT", help="Replace the system prompt of the settings.")
@click.option("--greedy", is_flag=True, help="Always pick the most likely token.")
@_sampling_options
@click.option("--show-thoughts", is_flag=True, help="Write thoughts to standard error.")
@click.option("--adapter", metavar="VERSION", help="Version, or `base`; default: the active one.")
@click.option(
    "--batch",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE.jsonl",
    help='Answer each line, {"prompt": …} or {"messages": […]}; add "reply" and "recalled" to it.',
)
@click.option("--no-recall", is_flag=True, help="Put no corrections before the prompt.")
@json_option
@click.pass_obj
def ask(
    invocation: Invocation,
    prompt: str | None,
    system: str | None,
    greedy: bool,
    show_thoughts: bool,
    adapter: str | None,
    batch: Path | None,
    no_recall: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Reply to PROMPT, to standard input, or to both: what is piped is appended to PROMPT.

    Options not given are taken from the settings; --stop may be repeated. Corrections that the
    version has not learned yet are put before similar prompts; JSON names their ids as "recalled".
    """
    if batch and prompt:
        raise click.UsageError(_("Use a prompt or --batch, not both."))
    rows = _read_batch(batch) if batch else []
    if not batch:
        prompt = _whole_prompt(prompt)
    sampling = _sampling(invocation.config.sampling, greedy, options)
    adapters = Adapters(invocation.paths.models, invocation.found_model())
    version = adapters.resolve(adapter or adapters.active())
    engine = _engine(invocation, adapters, version)
    seed = random.randrange(2**31) if sampling.seed is None else sampling.seed
    system = invocation.config.chat.system_prompt if system is None else system
    wanted = invocation.config.chat.recall and not no_recall
    recalled = _recalling(invocation, engine, adapters.learned(version) if wanted else None)
    if batch:
        _answer_rows(engine, rows, system, sampling, seed, recalled)
        return
    messages = with_system((ChatMessage(role="user", content=prompt or ""),), system)
    examples = recalled(messages)
    pieces = engine.stream(messages, sampling, seed, examples=placed(examples))
    if as_json:
        _thoughts, reply = split_thoughts("".join(pieces))
        used = engine.last is not None and engine.last.examples
        answered = {
            "prompt": prompt,
            "adapter": version,
            "reply": reply,
            "recalled": _ids(examples) if used else [],
        }
        echo_json(answered)
        return
    _answer(pieces, show_thoughts)


def _answer(pieces: Iterable[str], show_thoughts: bool) -> None:
    """Write a reply as it comes, without what the model thinks before."""
    split = ThoughtStream()

    def write(thought: str, said: str) -> None:
        if thought and show_thoughts:
            click.echo(thought, nl=False, err=True)
        click.echo(said, nl=False)
        sys.stdout.flush()

    for piece in pieces:
        write(*split.push(piece))
    write(*split.flush())
    click.echo()


def _sampling(default: Sampling, greedy: bool, options: dict[str, Any]) -> Sampling:
    """Apply the options, named by the fields of `Sampling`, to `default`."""
    changes: dict[str, Any] = {}
    if greedy:
        changes = {"temperature": 0.0, "top_p": 1.0, "repetition_penalty": 1.0}
    changes |= {name: value for name, value in options.items() if value not in (None, ())}
    try:
        return Sampling.model_validate({**default.model_dump(), **changes})
    except ValidationError as error:
        known = {setting.name: setting for setting in sampling_settings()}
        setting = known[str(error.errors()[0]["loc"][0])]
        raise click.BadParameter(
            _("{name} must be {bounds}.").format(name=setting.label, bounds=setting.bounds)
        ) from error


def _whole_prompt(prompt: str | None) -> str:
    """Return the prompt with what is on standard input behind it."""
    if not prompt and (sys.stdin is None or sys.stdin.isatty()):
        raise click.UsageError(_("Give a prompt, or pipe one to standard input."))
    whole = "\n\n".join(filter(None, (prompt, _piped())))
    if not whole:
        raise TuteeError(_("The prompt is empty."), _('Give one: tutee ask "…"'))
    return whole


def _piped() -> str:
    """Return what is piped, which is UTF-8 or else in the encoding of the locale."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    try:
        content: bytes = sys.stdin.buffer.read()
    except (OSError, ValueError):  # it is closed, or a folder
        return ""
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return content.decode(sys.stdin.encoding, "replace").strip()


def _engine(invocation: Invocation, adapters: Adapters, version: str) -> "Engine":
    path = adapters.path(version)
    from core.serving.engine import Engine

    return Engine(adapters.folder, path, invocation.config.serving)


def _recalling(
    invocation: Invocation, engine: "Engine", learned: frozenset[str] | None
) -> Recalled:
    """Return what finds the records to put before a prompt; it finds none if `learned` is None."""
    if learned is None:
        return lambda messages: ()
    with invocation.home(write=False) as repository:
        records, recall = repository.trainable(), Recall()
    return lambda messages: recall.examples(messages, records, learned, engine.count_tokens)


def _ids(examples: Sequence["Example"]) -> list[str]:
    return [example.record_id for example in examples]


def _read_batch(path: Path) -> list[dict[str, Any]]:
    """Read and check all rows of a batch file before the first is answered."""
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
            _messages(row)
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
        raise TuteeError(_("{path} contains no prompts.").format(path=path))
    return rows


def _messages(row: dict[str, Any]) -> tuple[ChatMessage, ...]:
    if "messages" in row:
        messages = _MESSAGES.validate_python(row["messages"])
    else:
        messages = (ChatMessage(role="user", content=row["prompt"]),)
    if not messages or messages[-1].role != "user":
        raise ValueError("the last message must be the user's")
    return messages


def _answer_rows(
    engine: "Engine",
    rows: Sequence[dict[str, Any]],
    system_prompt: str,
    sampling: Sampling,
    seed: int,
    recalled: Recalled,
) -> None:
    for start in range(0, len(rows), _WINDOW):
        window = rows[start : start + _WINDOW]
        prompts = [with_system(_messages(row), system_prompt) for row in window]
        found = [recalled(messages) for messages in prompts]
        replies = engine.batch(prompts, sampling, seed, [*map(placed, found)])
        for row, reply, examples in zip(window, replies, found, strict=True):
            echo_json({**row, "reply": reply, "recalled": _ids(examples)})
        sys.stdout.flush()
