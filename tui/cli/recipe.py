"""`tutee recipe`: the training as a folder, to be run with TRL's own commands elsewhere."""

import json
from pathlib import Path

import click

from core.adapters.registry import Adapters
from core.config import Tuning
from core.events import PassName
from core.recipes import export
from core.runs.plan import PASSES, Plan, make_plan
from store.errors import TuteeError
from store.i18n import _, ngettext
from store.repository import Repository
from tui.cli.i18n import Command
from tui.cli.invocation import Invocation
from tui.cli.train import parse_passes


@click.command(cls=Command)
@click.argument("version", default="")
@click.option(
    "--passes",
    callback=parse_passes,
    metavar="sft,kto,dpo,reward,rl",
    help="These even below their thresholds; default: those that are ready.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write it to this folder, which must not hold anything.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
@click.pass_obj
def recipe(
    invocation: Invocation,
    version: str,
    passes: frozenset[PassName] | None,
    output: Path,
    as_json: bool,
) -> None:
    """Write a folder that trains elsewhere what VERSION has learned, or else all there is.

    `trl sft --config sft.yaml` runs it, on one machine or a cluster; `tutee adapters add` takes
    the result back.
    """
    with invocation.home(write=False) as repository:
        adapters = Adapters(invocation.paths.models, invocation.found_model())
        written = export.write(_plan(invocation, repository, adapters, version, passes), output)
    if as_json:
        click.echo(json.dumps({"path": str(written.path), "passes": written.passes}))
        return
    for name, rows in written.passes.items():
        said = ngettext("{count:,} row", "{count:,} rows", rows).format(count=rows)
        click.echo(f"{name:<7} {said}")
    click.echo(_("{folder}/README.md has the commands.").format(folder=written.path))


def _plan(
    invocation: Invocation,
    repository: Repository,
    adapters: Adapters,
    version: str,
    passes: frozenset[PassName] | None,
) -> Plan:
    """Everything anew from the base: of one version, or of all records."""
    records, config = repository.trainable(), invocation.config
    if version:
        manifest = adapters.manifest(version)
        line = adapters.lineage(manifest.version)
        if not line:
            raise TuteeError(_("The base has learned nothing yet."), _("Leave the version out."))
        learned = adapters.learned(manifest.version)
        records = [record for record in records if record.id in learned]
        passes = passes or frozenset(p for p in PASSES if any(m.pass_name == p for m in line))
        settings = Tuning.model_validate(manifest.settings)
        config = config.model_copy(update={"tuning": settings})
    return make_plan(records, adapters, config, passes, rebuild=True)
