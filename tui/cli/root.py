"""The command group and its options; without a command, the app."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.screen_config import screen_table
from store.i18n import _, chosen, speak
from store.paths import locate
from tui.cli.i18n import Group, speak_click
from tui.log import log_to
from tui.terminal.capabilities import need_terminal

if TYPE_CHECKING:
    from tui.cli.invocation import Invocation

_COMMANDS = {
    "adapters": "adapters:adapters",
    "ask": "ask:ask",
    "chats": "chats:chats",
    "check": "stats_and_check:check",
    "delete": "records:delete",
    "doctor": "doctor:doctor",
    "export": "exports:export",
    "import": "imports:import_command",
    "keys": "keys:keys",
    "models": "models:models",
    "recipe": "recipe:recipe",
    "records": "records:records",
    "report": "report:report",
    "show": "records:show",
    "stats": "stats_and_check:stats",
    "train": "train:train",
}
"""Each command's module under `tui.cli`, and what it is called there: imported when it is wanted,
so that the app waits for none."""


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

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted((*super().list_commands(context), *_COMMANDS))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return super().get_command(context, name)
        module, _colon, attribute = _COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(f"tui.cli.{module}"), attribute)
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.exceptions.NoSuchCommand as error:
            names = self.list_commands(context)  # click knows those only that are imported
            raise click.exceptions.NoSuchCommand(
                args[0], possibilities=names, ctx=context
            ) from error


def _language(args: Sequence[str]) -> str:
    """What the settings of the home say; as the system is set where they say nothing."""
    home = os.environ.get("TUTEE_HOME")
    for place, arg in enumerate(args):
        if arg == "--home":
            home = next(iter(args[place + 1 :]), home)
        elif arg.startswith("--home="):
            home = arg.partition("=")[2]
    paths = locate(Path(home) if home else None)
    return chosen(str(screen_table(paths.config_file).get("language", "auto")))


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
    paths = locate(home)
    if latest and resume is not None:
        raise click.UsageError(_("Give --continue or --resume, not both."))
    if context.invoked_subcommand:
        from tui.cli.invocation import Invocation

        log_to(paths.log_file)
        context.obj = Invocation(paths, model)
    else:
        need_terminal()
        if os.environ.get("TERM_PROGRAM") == "iTerm.app":
            # With its extended key protocol on, iTerm2 drops what an input method composes.
            os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")
        from tui.run import run_app

        run_app(paths, model, "" if latest else resume)


@cli.command(name="locate")
@click.pass_obj
def locate_command(invocation: "Invocation") -> None:
    """Print where everything is; the settings are `config_file`."""
    for name, path in asdict(invocation.paths).items():
        click.echo(f"{name:<14} {path}")
