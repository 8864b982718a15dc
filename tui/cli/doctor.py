"""`tutee doctor`: what Tutee runs on here, and how fast it answers."""

import json
from collections.abc import Iterator

import click

from core import doctor as facts
from core.adapters import Adapters
from core.doctor import Fact
from tui.cli.invocation import Invocation
from tui.text import harmless

_SECONDS = 5.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option("--no-speed", is_flag=True, help="Without loading the model and measuring it.")
@click.pass_obj
def doctor(invocation: Invocation, as_json: bool, no_speed: bool) -> None:
    """Say what Tutee runs on, and measure for 5 seconds how fast it answers."""
    found: dict[str, str] = {}
    for name, value in _facts(invocation, not no_speed):
        found[name] = value
        if not as_json:
            click.echo(f"{name:<14} {harmless(value)}")
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))


def _facts(invocation: Invocation, speed: bool) -> Iterator[Fact]:
    yield from facts.versions()
    yield from facts.machine()
    folder = invocation.found_model()
    adapters = Adapters(invocation.paths.models, folder)
    yield from facts.model(folder, adapters, invocation.paths)
    yield "precision", invocation.config.serving.precision
    yield "prompt cache", f"{invocation.config.serving.cache_mb} MiB at most"
    if speed:
        path = adapters.path(adapters.active())
        engine, weights = facts.serving(folder, path, invocation.config)
        yield weights
        yield from facts.speed(engine, _SECONDS)
