"""`tutee export`: the person's records as files that the field's tools read."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from data import exports
from data.exports import FORMATS, Choices, ExportSelection, select, write_table
from data.quality.task_labels import merged
from store.errors import TuteeError
from store.i18n import _, ngettext
from store.records import KINDS, RecordKind
from tui.cli.i18n import Command
from tui.cli.invocation import Invocation
from tui.text_format import counted

_FILES = (".jsonl", ".json", ".csv")
"""Endings by which `-o` names a file; anything else is a folder."""
_STDOUT = Path("-")


@click.command(cls=Command)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    help="What to write; may be given several times. Default: all.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="Default: messages, trl and kto, each for its kind.",
)
@click.option("--split", is_flag=True, help="Put a fifth of the conversations into files to test.")
@click.option("--since", type=click.DateTime(), metavar="DATE", help="Only records made since.")
@click.option("--redact", is_flag=True, help="Replace secrets and e-mail addresses.")
@click.option("--dataset-info", is_flag=True, help="Write LLaMA-Factory's dataset_info.json too.")
@click.option("--licence", default="", metavar="TEXT", help="For the dataset card.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE|FOLDER")
@click.pass_obj
def export(
    invocation: Invocation,
    kinds: tuple[RecordKind, ...],
    format_name: str | None,
    split: bool,
    since: datetime | None,
    redact: bool,
    dataset_info: bool,
    licence: str,
    output: Path | None,
) -> None:
    """Write records as files with a dataset card, or those of one kind to standard output.

    FILE ends in .jsonl, .json or .csv and takes one kind, as standard output does, which is also
    called -; a FOLDER takes all. Without -o several kinds go to a folder among the home's exports.
    """
    choices = Choices(
        kinds=kinds or KINDS,
        format=format_name,
        split=split,
        since=since.astimezone() if since else None,  # the person's own time zone
        redact=redact,
        dataset_info=dataset_info,
        licence=licence,
    )
    piped = output == _STDOUT
    if output is not None and (piped or output.suffix.lower() in _FILES):
        _check_one(choices)
    if piped or (output is None and len(kinds) == 1 and not (split or dataset_info or licence)):
        _to_stdout(invocation, choices)
    elif output is not None and output.suffix.lower() in _FILES:
        _to_file(invocation, choices, output)
    else:
        _to_folder(invocation, choices, output)


def _check_one(choices: Choices) -> None:
    """Refuse what is more than one stream of rows."""
    if len(choices.kinds) > 1:
        raise click.UsageError(_("A file takes one --kind; give a folder for several."))
    if choices.split or choices.dataset_info or choices.licence:
        raise click.UsageError(_("--split, --dataset-info and --licence need a folder."))


def _to_stdout(invocation: Invocation, choices: Choices) -> None:
    selection = _selected(invocation, choices)
    for table in selection.tables:
        click.echo(table.text(), nl=False)
    _tell(selection.left_out, selection.redacted)


def _to_file(invocation: Invocation, choices: Choices, output: Path) -> None:
    if output.suffix.lower() == ".csv" and choices.format is None:
        choices = replace(choices, format="csv")
    selection = _selected(invocation, choices)
    if not selection.tables:
        raise TuteeError(_("There is nothing to export."), _("; ").join(selection.left_out))
    (table,) = selection.tables
    write_table(table, output)
    _tell_written(table.kind, len(table.rows), output)
    _tell(selection.left_out, selection.redacted)


def _selected(invocation: Invocation, choices: Choices) -> ExportSelection:
    with invocation.home(write=False) as repository:
        return select(repository.records(), choices)


def _to_folder(invocation: Invocation, choices: Choices, output: Path | None) -> None:
    rules = merged(invocation.config.tasks)
    with invocation.home(write=False) as repository:
        folder = output or exports.dated(invocation.paths.exports, datetime.now())
        exported = exports.export(repository.records(), choices, folder, rules)
    for file in exported.files:
        _tell_written(file.kind, file.rows, file.path)
    _tell(exported.left_out, exported.redacted)


def _tell_written(kind: RecordKind, rows: int, path: Path) -> None:
    said = _("{records} written to {path}.").format(records=counted(rows, kind), path=path)
    click.echo(said, err=True)


def _tell(left_out: tuple[str, ...], redacted: int) -> None:
    for reason in left_out:
        click.echo(_("left out: {reason}").format(reason=reason), err=True)
    if redacted:
        said = ngettext("{count:,} record redacted.", "{count:,} records redacted.", redacted)
        click.echo(said.format(count=redacted), err=True)
