"""`tutee keys`: what a key can be chosen for, and which key it has."""

import click

from store.i18n import _
from tui.cli.invocation import Invocation
from tui.cli.words import Command


@click.command(cls=Command)
@click.pass_obj
def keys(invocation: Invocation) -> None:
    """List every action's id with its keys; `[keys]` in the settings gives it others."""
    from tui.keys import bound, keymap

    chosen = invocation.config.keys
    keymap(chosen)
    for one in bound().values():
        now = chosen.get(one.id) or ",".join(one.keys)
        own = " *" if one.id in chosen else ""
        click.echo(f"{one.id:<20} {now:<28} {_(one.description)}{own}")
