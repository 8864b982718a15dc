"""`tutee teach`: open the app with replies to rate, one after another."""

from pathlib import Path

import click

from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation
from tui.terminal.capabilities import need_terminal


@click.command(cls=LocalizedCommand)
@click.argument("what", metavar="[FILE]", default="")
@click.pass_obj
def teach(invocation: Invocation, what: str) -> None:
    """Rate replies one after another, one key each.

    FILE has prompts that the model answers first: one per line, or JSON or CSV rows with a
    `prompt`. Instead of a file, it can name an import. Without it, the replies of all chats are
    shown that have no feedback yet.
    """
    from tui.run import run_app

    need_terminal()
    # A relative path starts from where the command was typed.
    file = Path(what).expanduser().absolute()
    run_app(invocation.paths, invocation.model, teach=str(file) if file.is_file() else what)
