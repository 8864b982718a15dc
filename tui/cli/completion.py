"""`tutee completion`: the script that completes commands and options in a shell."""

import click
from click.shell_completion import get_completion_class

from tui.cli.i18n import LocalizedCommand

_SHELLS = ("bash", "zsh", "fish")


@click.command(cls=LocalizedCommand)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands and options.

    In bash or zsh: eval "$(tutee completion bash)". In fish: tutee completion fish | source.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click knows all three
    click.echo(kind(context.find_root().command, {}, "tutee", "_TUTEE_COMPLETE").source())
