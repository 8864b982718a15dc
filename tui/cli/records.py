"""`tutee records`, `tutee show` and `tutee delete`: every record by its id."""

import json
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
from store.records import KINDS, Record, Verdict
from tui.cli.i18n import Command
from tui.cli.invocation import Invocation
from tui.cli.token_mask import shown
from tui.text_format import counted, harmless, one_line, padded, shortened

if TYPE_CHECKING:
    from tui.views.record_detail import DetailView, MaskView

_SHOWN_AT_ONCE = 10
"""Records that are listed before they are deleted."""


@click.command(cls=Command)
@click.option("--kind", type=click.Choice(KINDS))
@click.option("--source", default="", metavar="TEXT", help="In the name of the source.")
@click.option("--task", default="", metavar="TASK", help="What the prompt asks for.")
@click.option("--search", "words", default="", metavar="WORDS", help="All in the texts.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, complete.")
@click.pass_obj
def records(
    invocation: Invocation, kind: str | None, source: str, task: str, words: str, as_json: bool
) -> None:
    """List the records, one a line, oldest first."""
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
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo(_line(record, _task(rules, record), width))


def _task(rules: Rules, record: Record) -> str:
    return task_of(record.prompt, rules)


def _line(record: Record, task: str, width: int | None) -> str:
    """A record on one line, cut to a width where there is one."""
    thumb = ("👍" if record.label else "👎") if isinstance(record, Verdict) else "  "
    said = f"{one_line(question_of(record))} → {one_line(reply_of(record))}"
    day = f"{record.created.astimezone():%Y-%m-%d}"
    line = harmless(
        f"{record.id:<12} {day} {padded(_(record.kind), 11)} {thumb} "
        f"{padded(_(task), 18)} {padded(record.origin.source, 16)} {said}"
    )
    return shortened(line, width) if width else line


# -- one -------------------------------------------------------------------------------------------


@click.command(cls=Command)
@click.argument("record_id", metavar="RECORD")
@click.option("--mask", is_flag=True, help="Its tokens, those that carry loss in colour.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, complete.")
@click.pass_obj
def show(invocation: Invocation, record_id: str, mask: bool, as_json: bool) -> None:
    """Show one record, or with --mask exactly what training makes of it.

    Where there are no colours, what carries loss stands between ⟦ and ⟧.
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
        click.echo(json.dumps(row, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    if mask:
        for view in masks:
            console.print(_tokens(view, colours=console.is_terminal and not console.no_color))
    else:
        console.print(_whole(_detail(invocation, record)))


def _masks(invocation: Invocation, record: Record) -> "tuple[MaskView, ...]":
    from tui.views.record_detail import mask_views

    tokenizer = load_tokenizer(invocation.found_model())
    return mask_views(record, tokenizer, invocation.config.chat.system_prompt)


def _detail(invocation: Invocation, record: Record) -> "DetailView":
    from tui.views.record_detail import detail_view

    adapters = invocation.adapters()
    versions = [*adapters.versions(), *adapters.versions("reward")]
    learned = " ".join(m.version for m in versions if record.id in m.records)
    return detail_view(record, _task(merged(invocation.config.tasks), record), learned, ())


def _whole(view: "DetailView") -> Text:
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


def _tokens(view: "MaskView", *, colours: bool) -> Text:
    return Text(f"{view.heading}\n", style="").append(shown(view.pieces, colours=colours))


# -- away ------------------------------------------------------------------------------------------


@click.command(cls=Command)
@click.argument("record_ids", nargs=-1, metavar="RECORD...")
@click.option("--source", metavar="NAME", help="All of this source, as `tutee stats` names it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(
    invocation: Invocation, record_ids: tuple[str, ...], source: str | None, yes: bool
) -> None:
    """Delete records; what an adapter has learned of them stays learned until it is rebuilt.

    The backups in the home keep them for some days.
    """
    if bool(record_ids) == bool(source):
        raise click.UsageError(_("Give the ids of records, or --source."))
    with invocation.home() as repository:
        if source:
            chosen = _of_source(repository.records(), source)
        else:
            chosen = [repository.record(record_id) for record_id in dict.fromkeys(record_ids)]
        if not yes:
            _ask(chosen, merged(invocation.config.tasks))
        gone = repository.delete_records([record.id for record in chosen])
    click.echo(_("{records} deleted.").format(records=_told(gone)))


def _of_source(records: Iterable[Record], source: str) -> list[Record]:
    """Those of a source; the name of an import may be given alone.

    Raises:
        TuteeError: there are none.
    """
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


def _ask(chosen: Sequence[Record], rules: Rules) -> None:
    """Go on only when the person says so."""
    for record in chosen[:_SHOWN_AT_ONCE]:
        click.echo(_line(record, _task(rules, record), 100), err=True)
    if len(chosen) > _SHOWN_AT_ONCE:
        left = len(chosen) - _SHOWN_AT_ONCE
        click.echo(_("… and {count:,} more").format(count=left), err=True)
    click.confirm(_("Delete {records}?").format(records=_told(chosen)), abort=True, err=True)


def _told(records: Collection[Record]) -> str:
    kinds = Counter(record.kind for record in records)
    parts = _(", ").join(counted(number, kind) for kind, number in kinds.items())
    if not parts:
        return _("Nothing")
    return _("{records} ({kinds})").format(records=counted(len(records), "record"), kinds=parts)
