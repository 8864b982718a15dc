"""`tutee check`: contradictions, secrets, duplicates and overlong records."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import click

from core.models.folder import named
from core.runs.record_lengths import lengths, limit
from core.runs.template_refusals import refused_records
from data.quality.checks import Finding
from data.quality.checks import check as find_problems
from store.i18n import _
from store.records import Record
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation, json_option
from tui.cli.json_output import echo_json
from tui.text_format import counted, harmless


@click.command(cls=LocalizedCommand)
@json_option
@click.pass_obj
def check(invocation: Invocation, as_json: bool) -> None:
    """Find contradictions, secrets, duplicates and overlong records.

    Nothing is changed; pass the listed ids to `tutee show` or `tutee delete`.
    """
    with invocation.home(write=False) as repository:
        records = repository.records()
    findings = find_problems(records, *_of_model(invocation, records))
    if as_json:
        echo_json([asdict(finding) for finding in findings])
        return
    _report(findings, len(records))


def _of_model(
    invocation: Invocation, records: Sequence[Record]
) -> tuple[Mapping[str, int] | None, int | None, Mapping[str, str] | None]:
    """Return the lengths and the limit of the model, and what its template refuses."""
    config = invocation.config
    folder = named(config.chat.model, invocation.paths.cache)
    if not folder.path.is_dir():
        click.echo(_("Lengths are not checked: the model is not downloaded yet."), err=True)
        return None, None, None
    refused = refused_records(records, folder, config.chat.system_prompt)
    return lengths(records, folder, config), limit(folder, config.tuning), refused


def _report(findings: Sequence[Finding], records: int) -> None:
    kind = ""
    for finding in findings:
        if finding.kind != kind:
            kind = finding.kind
            click.echo(_(kind))
        ids = " ".join(finding.record_ids)
        click.echo(f"  {harmless(finding.message)}\n    {harmless(ids)}")
    kinds = Counter(finding.kind for finding in findings)
    found = _(", ").join(f"{number} {_(kind)}" for kind, number in kinds.items())
    text = _("{records} checked: {found}")
    click.echo(text.format(records=counted(records, "record"), found=found or _("nothing found")))
