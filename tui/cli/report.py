"""`tutee report`: the report card of a version."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from core.adapters.manifest import BASE, INTERNAL
from core.adapters.registry import Adapters
from core.evaluation.report_card import ReportCard, build_report_card
from store.errors import TuteeError
from store.i18n import _
from store.storage import replace_file
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation
from tui.cli.json_output import to_json
from tui.cli.report_card import html, markdown, terminal
from tui.terminal.output import echo_document, styled

_SUFFIXES = {".json": "json", ".md": "markdown", ".html": "html", ".htm": "html"}
_PLAIN_WIDTH = 100
"""Width in cells of a report card written to a text file."""


@click.command(cls=LocalizedCommand)
@click.argument("version", required=False)
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--markdown", "form", flag_value="markdown", help="Print Markdown.")
@click.option("--html", "form", flag_value="html", help="Print a self-contained HTML page.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file; without a format option, its suffix decides.",
)
@click.option("--probes", is_flag=True, help="Show the replies to the probes, too.")
@click.pass_obj
def report(
    invocation: Invocation,
    version: str | None,
    form: str | None,
    output: Path | None,
    probes: bool,
) -> None:
    """Show what VERSION was trained on and what changed.

    Default: the active version, or the newest if the base is active.
    """
    adapters = invocation.adapters()
    found = build_report_card(adapters, version or _latest(adapters))
    if form is None and output is not None:
        form = _SUFFIXES.get(output.suffix.lower())
    if output is None and form is None:
        terminal.show(found, _console(styled(sys.stdout)), probes=probes)
        return
    text = _FORMS[form or "text"](found)
    if output is None:
        echo_document(text)
        return
    replace_file(output.expanduser().absolute(), text.encode("utf-8"))
    done = _("Wrote the report on {version} to {file}.")
    click.echo(done.format(version=found.manifest.version, file=output), err=True)


def _latest(adapters: Adapters) -> str:
    active = adapters.active()
    if active != BASE:
        return active
    trained = [*adapters.versions("reward"), *adapters.versions()]
    if not trained:
        raise TuteeError(
            _("There is nothing to report yet."), _("Run `tutee train` to create a version.")
        )
    return trained[-1].version


def _console(file: io.TextIOBase | object, width: int | None = None) -> Console:
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)  # type: ignore[arg-type]


def _to_text(found: ReportCard) -> str:
    written = io.StringIO()
    terminal.show(found, _console(written, _PLAIN_WIDTH), probes=True)
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())


def _to_json(found: ReportCard) -> str:
    contents = {
        **found.remark.model_dump(),
        "verdict": found.verdict,
        "reasons": found.reasons,
        "learned": found.learned,
        "taught": [reply._asdict() for reply in found.taught],
        "figures": [
            {**figure._asdict(), "trend": figure.trend}
            for figure in (*found.figures, *found.side_effects)
        ],
        "curves": {curve.name: curve.values for curve in found.curves},
        "held_out": [reply._asdict() for reply in found.held_out],
        "probes": [reply._asdict() for reply in found.probes],
        "manifest": found.manifest.model_dump(mode="json", exclude=INTERNAL),
    }
    return to_json({"version": found.manifest.version, **contents}) + "\n"


_FORMS: dict[str, Callable[[ReportCard], str]] = {
    "json": _to_json,
    "markdown": markdown.render,
    "html": html.render,
    "text": _to_text,
}
