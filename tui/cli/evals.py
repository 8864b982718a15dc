"""`tutee eval`: the user's own prompts and checks, on several versions side by side."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from core.evaluation.own_evals import EvalItem, EvalResult, ItemResult, compare, read, run
from core.significance import CHANCE
from data.prompt_fitting import Examples
from store.i18n import _, ngettext
from store.records import ChatMessage
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation, json_option
from tui.cli.json_output import echo_json
from tui.terminal.output import redraw_line
from tui.text_format import harmless, one_line, padded, shortened

if TYPE_CHECKING:
    from core.serving.engine import Engine

_SHOWN = 70
_RECALL = f"{BASE}+recall"


@click.command(name="eval", cls=LocalizedCommand)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--adapter",
    "versions",
    multiple=True,
    metavar="VERSION",
    help="Version to examine; may be repeated. Default: the active one.",
)
@click.option(
    "--max-new-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    help="Cut a reply off at this many tokens; default: as in the settings.",
)
@click.option("--recall", is_flag=True, help="Also ask the base with your corrections as examples.")
@click.option("--failures", is_flag=True, help="Also print the replies that fail, and why.")
@json_option
@click.pass_obj
def eval_command(
    invocation: Invocation,
    file: Path,
    versions: tuple[str, ...],
    max_new_tokens: int | None,
    recall: bool,
    failures: bool,
    as_json: bool,
) -> None:
    """Check the replies to the prompts in FILE, and compare versions with the base.

    FILE is JSONL or a table: a `prompt` (or `messages`) a row, and checks such as `exact`,
    `contains`, `regex`, `json`, `max_words` or `expression`; or IFEval's own file.
    """
    items = read(file)
    folder = invocation.found_model()
    adapters = Adapters(invocation.paths.models, folder)
    named = [adapters.resolve(version) for version in versions] or [adapters.active()]
    paths = {version: adapters.path(version) for version in dict.fromkeys((BASE, *named))}
    from core.serving.engine import Engine

    sampling = invocation.config.sampling.model_copy(
        update={"temperature": 0.0, "top_p": 1.0, "repetition_penalty": 1.0}
        | ({"max_new_tokens": max_new_tokens} if max_new_tokens else {})
    )
    engine = Engine(folder, None, invocation.config.serving)
    system_prompt = invocation.config.chat.system_prompt
    results: dict[str, tuple[ItemResult, ...]] = {}
    for version, path in paths.items():
        one = engine if path is None else engine.with_adapter(path)
        told = partial(_progress, items, version)
        results[version] = run(one, items, system_prompt, sampling, told)
        if recall and version == BASE:
            told = partial(_progress, items, _RECALL)
            found = _recalling(invocation, engine)
            results[_RECALL] = run(engine, items, system_prompt, sampling, told, found)
    compared = compare(results)
    if as_json:
        echo_json([_as_json(result) for result in compared])
        return
    _print(compared)
    if failures:
        _print_failures(compared)


def _recalling(
    invocation: Invocation, engine: "Engine"
) -> Callable[[Sequence[ChatMessage]], Examples]:
    """Return what puts the most similar records before a prompt, learned or not."""
    from core.recall import Recall, placed

    with invocation.home(write=False) as repository:
        records, index = repository.trainable(), Recall()
    return lambda messages: placed(index.examples(messages, records, (), engine.count_tokens))


def _progress(items: Sequence[EvalItem], version: str, done: int) -> None:
    if sys.stderr.isatty():
        end = done == len(items)
        text = "" if end else f"{version}  {done}/{len(items)}"
        redraw_line(text)


def _as_json(result: EvalResult) -> dict[str, object]:
    return {
        "version": result.version,
        "right": result.right,
        "total": len(result.items),
        "share": result.right / len(result.items),
        "interval": [result.low, result.high],
        "gained": result.gained,
        "lost": result.lost,
        "p": result.p,
        "items": [
            {
                "id": item.id,
                "prompt": item.prompt,
                "reply": item.reply,
                "passed": not item.failed,
                "failed": item.failed,
            }
            for item in result.items
        ],
    }


def _print(compared: Sequence[EvalResult]) -> None:
    total = len(compared[0].items)
    wide = max(len(result.version) for result in compared)
    click.echo(ngettext("{count:,} prompt", "{count:,} prompts", total).format(count=total))
    for place, result in enumerate(compared):
        row = _("{version} {right}/{total} right, {share:.0%} ({low:.0%} to {high:.0%})").format(
            version=padded(harmless(result.version), wide),
            right=result.right,
            total=total,
            share=result.right / total,
            low=result.low,
            high=result.high,
        )
        click.echo(row + (f"  {_against_base(result)}" if place else ""))


def _against_base(result: EvalResult) -> str:
    if not result.gained and not result.lost:
        return _("like the base")
    changes = _("+{gained} −{lost} against the base").format(gained=result.gained, lost=result.lost)
    if result.p >= CHANCE:
        return _("{changes}, which may be chance (p = {p:.2f})").format(changes=changes, p=result.p)
    return _("{changes} (p = {p:.2g})").format(changes=changes, p=result.p)


def _print_failures(compared: Sequence[EvalResult]) -> None:
    for result in compared:
        for item in filter(lambda item: item.failed, result.items):
            click.echo()
            title = f"{result.version}  {item.id}  {', '.join(item.failed)}"
            click.echo(harmless(title))
            for text in (item.prompt, item.reply):
                click.echo(f"  {harmless(shortened(one_line(text), _SHOWN))}")
