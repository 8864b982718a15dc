"""`tutee recipe`: a training run as a folder for TRL's own commands elsewhere."""

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
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation, json_option
from tui.cli.json_output import echo_json
from tui.cli.train import parse_passes


@click.command(cls=LocalizedCommand)
@click.argument("version", default="")
@click.option(
    "--passes",
    callback=parse_passes,
    metavar="sft,kto,dpo,reward,rl",
    help="Include these even below their thresholds; default: those that are ready.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write to this folder; it must be empty.",
)
@json_option
@click.pass_obj
def recipe(
    invocation: Invocation,
    version: str,
    passes: frozenset[PassName] | None,
    output: Path,
    as_json: bool,
) -> None:
    """Write a folder for training elsewhere with TRL.

    It covers the records VERSION has learned, or all of them. Run it with `trl sft --config
    sft.yaml` on one machine or a cluster, and add the result with `tutee adapters add`.
    """
    with invocation.home(write=False) as repository:
        adapters = Adapters(invocation.paths.models, invocation.found_model())
        written = export.write(_plan(invocation, repository, adapters, version, passes), output)
    if as_json:
        echo_json({"path": str(written.path), "passes": written.passes})
        return
    for name, rows in written.passes.items():
        counted = ngettext("{count:,} row", "{count:,} rows", rows).format(count=rows)
        click.echo(f"{name:<7} {counted}")
    click.echo(_("{folder}/README.md has the commands.").format(folder=written.path))


def _plan(
    invocation: Invocation,
    repository: Repository,
    adapters: Adapters,
    version: str,
    passes: frozenset[PassName] | None,
) -> Plan:
    records, config = repository.trainable(), invocation.config
    if version:
        manifest = adapters.manifest(version)
        line = adapters.lineage(manifest.version)
        if not line:
            raise TuteeError(_("The base has learned nothing yet."), _("Leave out the version."))
        learned = adapters.learned(manifest.version)
        records = [record for record in records if record.id in learned]
        passes = passes or frozenset(p for p in PASSES if any(m.pass_name == p for m in line))
        config = config.model_copy(update={"tuning": Tuning.model_validate(manifest.settings)})
    return make_plan(records, adapters, config, passes, rebuild=True)
