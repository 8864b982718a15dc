"""`tutee export`: the person's records as files that the field's tools read."""

from pathlib import Path

import click

from data import exports
from store.records import Record
from store.repository import Repository
from tui.cli.invocation import Invocation


@click.command()
@click.option("--kind", type=click.Choice(exports.KINDS), required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.pass_obj
def export(invocation: Invocation, kind: str, output: Path | None) -> None:
    """Write all records of one kind as JSONL, to FILE or standard output."""
    with Repository.open(invocation.paths, write=False) as repository:
        records: list[Record] = [*getattr(repository, f"{kind}s")()]
    if output:
        count = exports.write_jsonl(records, output)
        click.echo(f"{count} records written to {output}.", err=True)
        return
    for row in exports.rows(records):
        click.echo(exports.line(row), nl=False)
