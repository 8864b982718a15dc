"""`tutee adapters`: which versions there are, and which one answers."""

import json

import click

from core.adapters import BASE
from tui.cli.invocation import Invocation


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_context
def adapters(context: click.Context, as_json: bool) -> None:
    """List the adapter versions; `use` or `rollback` changes which one answers."""
    if context.invoked_subcommand:
        return
    found = context.obj.adapters()
    active = found.active()
    versions = found.versions()
    if as_json:
        rows = [manifest.model_dump(mode="json") for manifest in versions]
        click.echo(json.dumps({"active": active, "versions": rows}, ensure_ascii=False))
        return
    click.echo(f"{'●' if active == BASE else ' '} {BASE:<6} {found.folder.label}, untouched")
    for manifest in versions:
        mark = "●" if manifest.version == active else " "
        losses = manifest.metrics.get("losses") or [float("nan")]
        click.echo(
            f"{mark} {manifest.version:<6} {manifest.created:%Y-%m-%d %H:%M}"
            f"  from {manifest.parent:<5} {len(manifest.records):>4} new"
            f" + {len(manifest.replayed)} replayed, loss {losses[0]:.2f} → {losses[-1]:.2f}"
        )


@adapters.command()
@click.argument("version")
@click.pass_obj
def use(invocation: Invocation, version: str) -> None:
    """Answer with VERSION (or `base`) from now on."""
    with invocation.home():
        invocation.adapters().use(version)
    click.echo(version)


@adapters.command()
@click.pass_obj
def rollback(invocation: Invocation) -> None:
    """Go back to the version that was active before."""
    with invocation.home():
        version = invocation.adapters().rollback()
    click.echo(version)
