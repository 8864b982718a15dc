"""`tutee doctor`: the environment, and how fast the model replies in it."""

from collections.abc import Iterator

import click

from core import doctor as facts
from core.adapters.registry import Adapters
from core.doctor import Fact
from store.i18n import N_, _
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation, json_option
from tui.cli.json_output import echo_json
from tui.text_format import harmless, padded

_SECONDS = 5.0


@click.command(cls=LocalizedCommand)
@json_option
@click.option("--no-speed", is_flag=True, help="Skip loading the model and measuring its speed.")
@click.pass_obj
def doctor(invocation: Invocation, as_json: bool, no_speed: bool) -> None:
    """Show the environment, and measure reply speed for 5 seconds."""
    found: dict[str, str] = {}
    for name, value in _facts(invocation, not no_speed):
        found[name] = value
        if not as_json:
            click.echo(f"{padded(_(name), 14)} {harmless(value)}")
    if as_json:
        echo_json(found)


def _facts(invocation: Invocation, speed: bool) -> Iterator[Fact]:
    yield from facts.versions()
    yield from facts.machine()
    folder = invocation.found_model()
    adapters = Adapters(invocation.paths.models, folder)
    yield from facts.model(folder, adapters, invocation.paths)
    yield N_("precision"), invocation.config.serving.precision
    cache = invocation.config.serving.cache_mb
    yield N_("prompt cache"), _("{size} MiB at most").format(size=cache)
    if speed:
        path = adapters.path(adapters.active())
        engine, weights = facts.serving(folder, path, invocation.config)
        yield weights
        yield from facts.speed(engine, _SECONDS)
