"""The command group, its options, and what the commands share."""

import os
import sys
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import click

from core import config
from core.config import Config
from core.events import ModelLoading
from core.models import ModelFolder, find
from store.paths import Paths, ensure, locate
from tui.log import log_to


@dataclass
class Session:
    """One call of the command line: where things are, and the settings."""

    paths: Paths
    model: str | None
    """The `--model` option; the settings decide where it is absent."""

    @cached_property
    def config(self) -> Config:
        """The settings, with the model that was asked for on the command line."""
        found = config.load(self.paths.config_file)
        if self.model is None:
            return found
        chat = found.chat.model_copy(update={"model": self.model})
        return found.model_copy(update={"chat": chat})

    def found_model(self) -> ModelFolder:
        """The model, fetched first where it is the built-in one and not there yet."""
        return find(self.config.chat.model, self.paths.cache, show_loading)

    def prepare(self) -> None:
        """Create the home's folders, and send the log to its file.

        Raises:
            TuteeError: the home cannot be written.
        """
        ensure(self.paths)
        log_to(self.paths.log_file)


def show_loading(event: ModelLoading) -> None:
    """Progress on standard error: one line that rewrites itself, on a terminal only."""
    if not sys.stderr.isatty():
        return
    share = f" {event.done / event.total:.0%}" if event.total else ""
    done = bool(event.total) and event.done >= event.total
    click.echo(f"\r\x1b[K{event.stage}{share}", err=True, nl=done)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    envvar="TUTEE_HOME",
    help="Keep settings, records and adapters in this folder.",
)
@click.option("--model", metavar="PATH", help="A model's folder, or `builtin`.")
@click.version_option(package_name="tutee")
@click.pass_context
def cli(context: click.Context, home: Path | None, model: str | None) -> None:
    """A chat in the terminal whose model learns from you. Without a command, the app starts."""
    session = Session(locate(home), model)
    context.obj = session
    if context.invoked_subcommand is None:
        if os.environ.get("TERM_PROGRAM") == "iTerm.app":
            # With its extended key protocol on, iTerm2 drops what an input method composes.
            os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")
        from tui.run import run_app

        run_app(session.paths, session.config)


@cli.command(name="locate")
@click.pass_obj
def locate_command(session: Session) -> None:
    """Print where everything is; the settings are `config_file`."""
    for name, path in asdict(session.paths).items():
        click.echo(f"{name:<14} {path}")


def _register() -> None:
    from tui.cli import adapters, ask, records, train

    for command in (
        ask.ask,
        train.train,
        adapters.adapters,
        records.import_command,
        records.export,
        records.stats,
    ):
        cli.add_command(command)


_register()
