"""`tutee keys`: what a key can be chosen for, and which key it has."""

import click

from store.i18n import _
from tui.cli.i18n import Command
from tui.cli.invocation import Invocation


@click.command(cls=Command)
@click.pass_obj
def keys(invocation: Invocation) -> None:
    """List every action's id with its keys; `[keys]` in the settings gives it others."""
    from tui.bindings import tables
    from tui.commands.keymap import Keymap, bound

    chosen = invocation.config.keys
    Keymap(chosen, tables)
    for one in bound(tables()).values():
        now = chosen.get(one.id) or ",".join(one.keys)
        own = " *" if one.id in chosen else ""
        click.echo(f"{one.id:<20} {now:<28} {_(one.description)}{own}")
