"""`tutee keys`: the configurable actions and their current keys."""

import click

from store.i18n import _
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation


@click.command(cls=LocalizedCommand)
@click.pass_obj
def keys(invocation: Invocation) -> None:
    """List the ids and keys of all actions.

    Change keys under `[keys]` in the settings.
    """
    from tui.bindings import tables
    from tui.commands.keymap import Keymap, bound

    chosen = invocation.config.keys
    Keymap(chosen, tables)
    for action in bound(tables()).values():
        current = chosen.get(action.id) or ",".join(action.keys)
        mark = " *" if action.id in chosen else ""
        click.echo(f"{action.id:<20} {current:<28} {_(action.description)}{mark}")
