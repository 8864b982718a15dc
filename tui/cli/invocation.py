"""What every command is given: where things are, the settings, and the model they name."""

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
from tui.text_format import harmless
from tui.views.transfer_rate import TransferRate, format_size


@dataclass
class Invocation:
    """One call of the command line: where things are, and the settings."""

    paths: Paths
    model: str | None
    """The `--model` option; the settings decide where it is absent."""

    @cached_property
    def config(self) -> Config:
        """The settings, with the model that was asked for on the command line."""
        return config.load(self.paths.config_file, self.model)

    @contextmanager
    def home(self, *, write: bool = True) -> Iterator[Repository]:
        """The home, open; what its opening has to tell goes to standard error."""
        with Repository.open(self.paths, write=write) as repository:
            for notice in repository.notices:
                click.echo(f"tutee: {harmless(notice)}", err=True)
            yield repository

    def found_model(self) -> ModelFolder:
        """The model in use, fetched first where it is not there yet."""
        folder = replace(
            self.fetched(self.config.chat.model), four_bit=self.config.serving.four_bit
        )
        if said := notice(folder):
            click.echo(f"tutee: {said}", err=True)
        return folder

    def fetched(self, model: str) -> ModelFolder:
        """The folder of `model`, fetched or converted first where it is not there yet."""
        try:
            return find(model, self.paths.cache, show_loading)
        finally:
            end_loading()

    def adapters(self) -> Adapters:
        """The versions of the model, which is not fetched for this."""
        return Adapters(self.paths.models, named(self.config.chat.model, self.paths.cache))


_transfer_rate = TransferRate()


def show_loading(event: ModelLoading) -> None:
    """Progress on standard error: one line that rewrites itself, on a terminal only."""
    if not sys.stderr.isatty():
        return
    parts = [event.stage]
    if event.total:
        share, whole = event.done / event.total, format_size(event.total)
        parts.append(_("{share:.0%} of {size}").format(share=share, size=whole))
    if note := _transfer_rate.note(event):
        parts.append(note)
    click.echo("\r\x1b[K" + "  ".join(parts), err=True, nl=False)


def end_loading() -> None:
    """Take the line of `show_loading` away."""
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
