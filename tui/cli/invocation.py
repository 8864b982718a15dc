"""State and options shared by the commands: paths, settings and the model in use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import click

from core import config
from core.adapters.registry import Adapters
from core.config import Config
from core.events import ModelLoading
from core.models.folder import ModelFolder, find, named
from core.models.loading import notice
from store.i18n import _
from store.paths import Paths
from store.repository import Repository
from tui.terminal.output import clear_line, redraw_line
from tui.views.transfer_rate import TransferRate, format_size

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")


@dataclass
class Invocation:
    paths: Paths
    model: str | None
    """The `--model` option; None uses the settings."""

    @cached_property
    def config(self) -> Config:
        """The settings, with `--model` applied."""
        return config.load(self.paths.config_file, self.model)

    @contextmanager
    def home(self, *, write: bool = True) -> Iterator[Repository]:
        """Open the home and print its notices to standard error."""
        with Repository.open(self.paths, write=write) as repository:
            for notice in repository.notices:
                click.echo(f"tutee: {notice}", err=True)
            yield repository

    def found_model(self) -> ModelFolder:
        """Return the model in use, downloading it first if needed."""
        folder = replace(
            self.fetched(self.config.chat.model), four_bit=self.config.serving.four_bit
        )
        echo_notice(folder)
        return folder

    def fetched(self, model: str) -> ModelFolder:
        """Return the folder of `model`, downloading or converting it first if needed."""
        try:
            return find(model, self.paths.cache, show_loading)
        finally:
            clear_line()

    def adapters(self) -> Adapters:
        """Return the adapters of the model, without downloading it."""
        return Adapters(self.paths.models, named(self.config.chat.model, self.paths.cache))


def echo_notice(folder: ModelFolder) -> None:
    """Print what the user should know about a model, if anything, to standard error."""
    if text := notice(folder):
        click.echo(f"tutee: {text}", err=True)


_transfer_rate = TransferRate()


def show_loading(event: ModelLoading) -> None:
    """Show progress on one self-updating line of standard error, if it is a terminal."""
    if not sys.stderr.isatty():
        return
    parts = [event.stage]
    if event.total:
        share = event.done / event.total
        parts.append(_("{share:.0%} of {size}").format(share=share, size=format_size(event.total)))
    if note := _transfer_rate.note(event):
        parts.append(note)
    redraw_line("  ".join(parts))
