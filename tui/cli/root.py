"""The `tutee` command: global options, lazily imported subcommands, and the app itself."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.screen_config import screen_table
from store.i18n import _, resolve_language, set_language
from store.paths import locate
from tui.cli.i18n import LocalizedGroup
from tui.log import log_to
from tui.terminal.capabilities import need_terminal

if TYPE_CHECKING:
    from tui.cli.invocation import Invocation

_COMMANDS = {
    "adapters": "adapters:adapters",
    "ask": "ask:ask",
    "chats": "chats:chats",
    "check": "check:check",
    "completion": "completion:completion",
    "delete": "records:delete",
    "doctor": "doctor:doctor",
    "eval": "evals:eval_command",
    "export": "exports:export",
    "import": "imports:import_command",
    "keys": "keys:keys",
    "models": "models:models",
    "recipe": "recipe:recipe",
    "records": "records:records",
    "report": "report:report",
    "serve": "serve:serve",
    "show": "records:show",
    "stats": "stats:stats",
    "teach": "teach:teach",
    "train": "train:train",
}
"""Module under `tui.cli` and attribute of each command, imported on use so that none delays the
app."""


class _Root(LocalizedGroup):
    """Sets the language before parsing, because help and usage errors are printed while parsing."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        set_language(_language(args))
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
            names = self.list_commands(context)  # click suggests imported commands only
            raise click.exceptions.NoSuchCommand(
                args[0], possibilities=names, ctx=context
            ) from error


def _language(args: Sequence[str]) -> str:
    home = os.environ.get("TUTEE_HOME")
    for place, arg in enumerate(args):
        if arg == "--home":
            home = next(iter(args[place + 1 :]), home)
        elif arg.startswith("--home="):
            home = arg.partition("=")[2]
    paths = locate(Path(home) if home else None)
    return resolve_language(str(screen_table(paths.config_file).get("language", "auto")))


def _print_version(context: click.Context) -> None:
    from core.doctor import own_version

    click.echo(_("tutee, version {version}").format(version=own_version()))
    context.exit()


@click.group(
    cls=_Root, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    envvar="TUTEE_HOME",
    help="Folder for settings, records and adapters.",
)
@click.option(
    "--model",
    metavar="MODEL",
    help="Base model: `builtin`, `hf:owner/name`, `modelscope:owner/name`, a folder or a GGUF "
    "file.",
)
@click.option("-c", "--continue", "latest", is_flag=True, help="Continue the latest chat.")
@click.option("--resume", metavar="ID", help="Continue this chat; `tutee chats` lists the ids.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _option, asked: _print_version(context) if asked else None,
    help="Show the version and exit.",
)
@click.pass_context
def cli(
    context: click.Context, home: Path | None, model: str | None, latest: bool, resume: str | None
) -> None:
    """Chat in the terminal with a model that learns from you.

    Without a command, the app starts.
    """
    paths = locate(home)
    if latest and resume is not None:
        raise click.UsageError(_("Use --continue or --resume, not both."))
    if context.invoked_subcommand:
        from tui.cli.invocation import Invocation

        log_to(paths.log_file)
        context.obj = Invocation(paths, model)
    else:
        need_terminal()
        if os.environ.get("TERM_PROGRAM") == "iTerm.app":
            # With the extended key protocol on, iTerm2 drops text composed by an input method.
            os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")
        from tui.run import run_app

        run_app(paths, model, "" if latest else resume)


@cli.command(name="locate")
@click.pass_obj
def locate_command(invocation: "Invocation") -> None:
    """Print the paths Tutee uses; `config_file` holds the settings."""
    for name, path in asdict(invocation.paths).items():
        click.echo(f"{name:<14} {path}")
