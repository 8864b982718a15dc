"""`tutee import`, `export` and `stats`: the person's records, in and out."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from data import exports
from data.imports import read_file
from store.records import Record
from store.repository import Repository
from tui.cli.invocation import Invocation


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def import_command(invocation: Invocation, file: Path) -> None:
    """Take in the records of FILE (JSONL; the format is detected)."""
    with Repository.open(invocation.paths) as repository:
        found = read_file(file)
        added = repository.add_imported(found.records)
    known = len(found.records) - len(added)
    click.echo(f"{len(added)} records taken from {file} (format: {found.format}).")
    if known:
        click.echo(f"{known} were there already.")
    for refused in found.refused:
        click.echo(f"line {refused.line} refused: {refused.reason}")


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


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.pass_obj
def stats(invocation: Invocation, as_json: bool) -> None:
    """Count the feedback, and what of it the active adapter has not learned."""
    adapters = invocation.adapters()
    learned = adapters.learned()
    with Repository.open(invocation.paths, write=False) as repository:
        counts = asdict(repository.counts())
        untrained = sum(record.id not in learned for record in repository.instructions())
        conversations = len(repository.conversations())
    found = {
        "conversations": conversations,
        **counts,
        "untrained": untrained,
        "active": adapters.active(),
    }
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name:<14} {value}")
