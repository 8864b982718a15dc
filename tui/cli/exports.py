"""`tutee export`: the user's records in the file formats of other tools."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from data import exports
from data.export_tables import FORMATS
from data.exports import Choices, ExportSelection, select, write_table
from data.quality.task_labels import merged
from store.errors import TuteeError
from store.i18n import _, ngettext
from store.local_time import local
from store.records import KINDS, RecordKind
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation
from tui.terminal.output import echo_document
from tui.text_format import counted

_FILES = (".jsonl", ".json", ".csv")
"""Suffixes that make `-o` a file; anything else is a folder."""
_STDOUT = Path("-")


@click.command(cls=LocalizedCommand)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    help="Record kind to export; may be repeated. Default: all.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="Default: messages, trl or kto, depending on the kind.",
)
@click.option("--split", is_flag=True, help="Put a fifth of the conversations into test files.")
@click.option(
    "--since", type=click.DateTime(), metavar="DATE", help="Only records created since DATE."
)
@click.option("--redact", is_flag=True, help="Redact secrets and email addresses.")
@click.option("--dataset-info", is_flag=True, help="Also write LLaMA-Factory's dataset_info.json.")
@click.option("--licence", default="", metavar="TEXT", help="License to name in the dataset card.")
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
    """Export records for other tools.

    FOLDER takes all kinds and gets a dataset card. FILE ends in .jsonl, .json or .csv and takes one
    kind, as does standard output (-). Without -o, a single --kind goes to standard output, and
    several go to a new folder among the home's exports.
    """
    choices = Choices(
        kinds=kinds or KINDS,
        format=format_name,
        split=split,
        since=local(since) if since else None,
        redact=redact,
        dataset_info=dataset_info,
        licence=licence,
    )
    piped = output == _STDOUT
    if output is not None and (piped or output.suffix.lower() in _FILES):
        _require_one_file(choices)
    if piped or (output is None and len(kinds) == 1 and not (split or dataset_info or licence)):
        _to_stdout(invocation, choices)
    elif output is not None and output.suffix.lower() in _FILES:
        _to_file(invocation, choices, output)
    else:
        _to_folder(invocation, choices, output)


def _require_one_file(choices: Choices) -> None:
    if len(choices.kinds) > 1:
        raise click.UsageError(_("A file takes one --kind; use a folder for several."))
    if choices.split or choices.dataset_info or choices.licence:
        raise click.UsageError(_("--split, --dataset-info and --licence need a folder."))


def _to_stdout(invocation: Invocation, choices: Choices) -> None:
    selection = _selected(invocation, choices)
    for table in selection.tables:
        echo_document(table.text())
    _report_omissions(selection.left_out, selection.redacted)


def _to_file(invocation: Invocation, choices: Choices, output: Path) -> None:
    if output.suffix.lower() == ".csv" and choices.format is None:
        choices = replace(choices, format="csv")
    selection = _selected(invocation, choices)
    if not selection.tables:
        raise TuteeError(_("There is nothing to export."), _("; ").join(selection.left_out))
    (table,) = selection.tables
    write_table(table, output)
    _report_written(table.kind, len(table.rows), output)
    _report_omissions(selection.left_out, selection.redacted)


def _selected(invocation: Invocation, choices: Choices) -> ExportSelection:
    with invocation.home(write=False) as repository:
        return select(repository.records(), choices)


def _to_folder(invocation: Invocation, choices: Choices, output: Path | None) -> None:
    rules = merged(invocation.config.tasks)
    with invocation.home(write=False) as repository:
        folder = output or exports.dated(invocation.paths.exports, datetime.now())
        exported = exports.export(repository.records(), choices, folder, rules)
    for file in exported.files:
        _report_written(file.kind, file.rows, file.path)
    _report_omissions(exported.left_out, exported.redacted)


def _report_written(kind: RecordKind, rows: int, path: Path) -> None:
    text = _("Wrote {records} to {path}.").format(records=counted(rows, kind), path=path)
    click.echo(text, err=True)


def _report_omissions(left_out: tuple[str, ...], redacted: int) -> None:
    for reason in left_out:
        click.echo(_("left out: {reason}").format(reason=reason), err=True)
    if redacted:
        text = ngettext("Redacted {count:,} record.", "Redacted {count:,} records.", redacted)
        click.echo(text.format(count=redacted), err=True)
