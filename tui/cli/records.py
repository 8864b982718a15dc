"""`tutee records`, `tutee show` and `tutee delete`."""

import shutil
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from core.models.loading import load_tokenizer
from data.quality.statistics import question_of, reply_of
from data.quality.task_labels import Rules, merged, task_of
from store.errors import TuteeError
from store.i18n import _
from store.local_time import local_day
from store.records import KINDS, Record, Verdict
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation, json_option, yes_option
from tui.cli.json_output import echo_json
from tui.cli.token_mask import render_tokens
from tui.terminal.output import styled
from tui.text_format import counted, harmless, one_line, padded, shortened

if TYPE_CHECKING:
    from tui.views.record_detail import DetailView, MaskView

_SHOWN_AT_ONCE = 10
"""Records listed before the user confirms a deletion."""


@click.command(cls=LocalizedCommand)
@click.option("--kind", type=click.Choice(KINDS), help="Only records of this kind.")
@click.option("--source", default="", metavar="TEXT", help="Only sources whose name contains TEXT.")
@click.option("--task", default="", metavar="TASK", help="Only prompts that ask for TASK.")
@click.option(
    "--search", "words", default="", metavar="WORDS", help="Only records containing all WORDS."
)
@click.option("--json", "as_json", is_flag=True, help="Print one complete JSON object per line.")
@click.pass_obj
def records(
    invocation: Invocation, kind: str | None, source: str, task: str, words: str, as_json: bool
) -> None:
    """List records, one per line, oldest first."""
    from tui.views.record_list import RecordQuery, search

    rules = merged(invocation.config.tasks)
    query = RecordQuery(
        words=tuple(words.lower().split()),
        kind=kind or "",
        source=source.lower(),
        task=task.lower(),
    )
    with invocation.home(write=False) as repository:
        found = search(repository.records(), query, partial(_task, rules))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for record in found:
        if as_json:
            row = {**record.model_dump(mode="json"), "task": _task(rules, record)}
            echo_json(row)
        else:
            click.echo(_line(record, _task(rules, record), width))


def _task(rules: Rules, record: Record) -> str:
    return task_of(record.prompt, rules)


def _line(record: Record, task: str, width: int | None) -> str:
    thumb = ("👍" if record.label else "👎") if isinstance(record, Verdict) else "  "
    texts = f"{one_line(question_of(record))} → {one_line(reply_of(record))}"
    day = local_day(record.created)
    line = harmless(
        f"{record.id:<12} {day} {padded(_(record.kind), 11)} {thumb} "
        f"{padded(_(task), 18)} {padded(record.origin.source, 16)} {texts}"
    )
    return shortened(line, width) if width else line


# -- show ------------------------------------------------------------------------------------------


@click.command(cls=LocalizedCommand)
@click.argument("record_id", metavar="RECORD")
@click.option("--mask", is_flag=True, help="Show its tokens, with the learned ones in color.")
@json_option
@click.pass_obj
def show(invocation: Invocation, record_id: str, mask: bool, as_json: bool) -> None:
    """Show a record, or with --mask its exact training tokens.

    Without color, learned tokens are enclosed in ⟦ and ⟧.
    """
    with invocation.home(write=False) as repository:
        record = repository.record(record_id)
    masks = _masks(invocation, record) if mask else ()
    if as_json:
        row = record.model_dump(mode="json")
        if mask:
            row["masks"] = [
                [{"text": text, "trained": trained} for text, trained in view.pieces]
                for view in masks
            ]
        echo_json(row)
        return
    console = Console(file=styled(sys.stdout), highlight=False, soft_wrap=True)
    if mask:
        for view in masks:
            console.print(Text(view.heading))
            console.print(render_tokens(view.pieces, console))
    else:
        console.print(_render(_detail(invocation, record)))


def _masks(invocation: Invocation, record: Record) -> "tuple[MaskView, ...]":
    from core.runs.record_lengths import limit
    from tui.views.record_detail import mask_views

    folder, config = invocation.found_model(), invocation.config
    longest = limit(folder, config.tuning)
    return mask_views(record, load_tokenizer(folder), config.chat.system_prompt, longest)


def _detail(invocation: Invocation, record: Record) -> "DetailView":
    from tui.views.record_detail import detail_view

    adapters = invocation.adapters()
    versions = [*adapters.versions(), *adapters.versions("reward")]
    learned = " ".join(m.version for m in versions if record.id in m.records)
    return detail_view(record, _task(merged(invocation.config.tasks), record), learned, ())


def _render(view: "DetailView") -> Text:
    text = Text(f"{view.title}\n", style="bold")
    for part in (*view.prompt, *view.replies):
        style = {True: "bold green", False: "bold red", None: "bold"}[part.good]
        text.append(f"\n{part.heading}\n", style)
        text.append(f"{harmless(part.text)}\n", "not bold")
    text.append("\n")
    for name, value in view.facts:
        text.append(f"{padded(name, 12)} ", "not bold dim")
        text.append(f"{harmless(value)}\n", "not bold")
    text.rstrip()
    return text


# -- delete ----------------------------------------------------------------------------------------


@click.command(cls=LocalizedCommand)
@click.argument("record_ids", nargs=-1, metavar="RECORD...")
@click.option(
    "--source", metavar="NAME", help="Delete all records of a source, as named by `tutee stats`."
)
@yes_option
@click.pass_obj
def delete(
    invocation: Invocation, record_ids: tuple[str, ...], source: str | None, yes: bool
) -> None:
    """Delete records.

    Adapters keep what they learned from them until rebuilt, and backups keep the records for a few
    days.
    """
    if bool(record_ids) == bool(source):
        raise click.UsageError(_("Give either record ids or --source."))
    with invocation.home() as repository:
        if source:
            chosen = _of_source(repository.records(), source)
        else:
            chosen = [repository.record(record_id) for record_id in dict.fromkeys(record_ids)]
        if not yes:
            _confirm(chosen, merged(invocation.config.tasks))
        deleted = repository.delete_records([record.id for record in chosen])
    click.echo(_("Deleted {records}.").format(records=_count(deleted)))


def _of_source(records: Iterable[Record], source: str) -> list[Record]:
    """Return the records of a source, also without its `import:`; raise TuteeError for none."""
    known: dict[str, list[Record]] = {}
    for record in records:
        known.setdefault(record.origin.source, []).append(record)
    found = known.get(source) or known.get(f"import:{source}")
    if not found:
        raise TuteeError(
            _("No record has the source “{source}”.").format(source=source),
            _("There are: {names}.").format(names=_(", ").join(sorted(known))) if known else "",
        )
    return found


def _confirm(chosen: Sequence[Record], rules: Rules) -> None:
    for record in chosen[:_SHOWN_AT_ONCE]:
        click.echo(_line(record, _task(rules, record), 100), err=True)
    if len(chosen) > _SHOWN_AT_ONCE:
        left = len(chosen) - _SHOWN_AT_ONCE
        click.echo(_("… and {count:,} more").format(count=left), err=True)
    click.confirm(_("Delete {records}?").format(records=_count(chosen)), abort=True, err=True)


def _count(records: Collection[Record]) -> str:
    total = counted(len(records), "record")
    kinds = Counter(record.kind for record in records)
    parts = _(", ").join(counted(number, kind) for kind, number in kinds.items())
    return _("{records} ({kinds})").format(records=total, kinds=parts) if parts else total
