"""The command group and its options; without a command, the app."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from core import config
from store.errors import TuteeError
from store.language import _, of_environment, speak
from store.paths import locate
from tui.cli.adapters import adapters
from tui.cli.ask import ask
from tui.cli.chats import chats
from tui.cli.doctor import doctor
from tui.cli.exports import export
from tui.cli.imports import import_command
from tui.cli.invocation import Invocation
from tui.cli.keys import keys
from tui.cli.models import models
from tui.cli.overview import check, stats
from tui.cli.recipe import recipe
from tui.cli.records import delete, records, show
from tui.cli.report import report
from tui.cli.train import train
from tui.cli.words import Group, speak_click
from tui.log import log_to


class _Root(Group):
    """Finds the language first: help and wrong usage are told while the arguments are read."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        speak(_language(args))
        speak_click()
        return super().make_context(info_name, args, parent, **extra)


def _language(args: Sequence[str]) -> str:
    """What the settings of the home say; as the system is set where they say nothing."""
    home = os.environ.get("TUTEE_HOME")
    for place, arg in enumerate(args):
        if arg == "--home":
            home = next(iter(args[place + 1 :]), home)
        elif arg.startswith("--home="):
            home = arg.partition("=")[2]
    try:
        chosen = config.load(locate(Path(home) if home else None).config_file).screen.language
    except TuteeError:  # told when the settings are used
        chosen = "auto"
    return of_environment() if chosen == "auto" else chosen


@click.group(
    cls=_Root, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    envvar="TUTEE_HOME",
    help="Keep settings, records and adapters in this folder.",
)
@click.option(
    "--model",
    metavar="MODEL",
    help="`builtin`, `hf:owner/name`, `modelscope:owner/name`, a folder or a GGUF file.",
)
@click.option("-c", "--continue", "latest", is_flag=True, help="Go on with the latest chat.")
@click.option("--resume", metavar="ID", help="Go on with this chat; `tutee chats` lists them.")
@click.version_option(package_name="tutee")
@click.pass_context
def cli(
    context: click.Context,
    home: Path | None,
    model: str | None,
    latest: bool,
    resume: str | None,
) -> None:
    """A chat in the terminal whose model learns from you. Without a command, the app starts."""
    invocation = Invocation(locate(home), model)
    context.obj = invocation
    if latest and resume is not None:
        raise click.UsageError(_("Give --continue or --resume, not both."))
    if context.invoked_subcommand:
        log_to(invocation.paths.log_file)
    else:
        if os.environ.get("TERM_PROGRAM") == "iTerm.app":
            # With its extended key protocol on, iTerm2 drops what an input method composes.
            os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")
        from tui.run import run_app

        chat = "" if latest else resume
        run_app(invocation.paths, invocation.config, chat, chosen=model is not None)


@cli.command(name="locate")
@click.pass_obj
def locate_command(invocation: Invocation) -> None:
    """Print where everything is; the settings are `config_file`."""
    for name, path in asdict(invocation.paths).items():
        click.echo(f"{name:<14} {path}")


for command in (
    ask,
    chats,
    train,
    adapters,
    models,
    report,
    recipe,
    import_command,
    export,
    stats,
    check,
    doctor,
    records,
    show,
    delete,
    keys,
):
    cli.add_command(command)
