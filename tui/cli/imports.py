"""`tutee import`: records and conversations made elsewhere, into the home."""

from pathlib import Path

import click

from data.imports import read_file
from store.repository import Repository
from tui.cli.invocation import Invocation


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def import_command(invocation: Invocation, file: Path) -> None:
    """Take in the records of FILE (JSONL; the format is detected)."""
    with Repository.open(invocation.paths) as repository:
        found = read_file(file)
        added = repository.add_imported(found.records).records
    known = len(found.records) - len(added)
    click.echo(f"{len(added)} records taken from {file} (format: {found.format}).")
    if known:
        click.echo(f"{known} were there already.")
    for refused in found.refused:
        click.echo(f"line {refused.line} refused: {refused.reason}")
