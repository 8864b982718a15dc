"""`tutee stats`: what there is."""

import json
from dataclasses import asdict

import click

from store.repository import Repository
from tui.cli.invocation import Invocation


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
