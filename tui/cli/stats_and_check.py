"""`tutee stats` and `tutee check`: what there is, what is thin, and what is wrong with it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.cells import cell_len

from core.models.folder import named
from core.runs.record_lengths import lengths, limit
from data.quality.checks import Finding
from data.quality.checks import check as checked
from data.quality.statistics import Needs, Statistics, statistics
from data.quality.task_labels import merged
from store.i18n import N_, _
from store.records import Record
from tui.cli.i18n import Command
from tui.cli.invocation import Invocation
from tui.text_format import counted, harmless, padded

_SECTIONS = (
    N_("trained"),
    N_("labels"),
    N_("reasons"),
    N_("tasks"),
    N_("languages"),
    N_("lengths"),
    N_("sources"),
)
"""Of the statistics, those that are shown as a table."""
_TOTALS = (
    N_("conversations"),
    N_("liked"),
    N_("disliked"),
    N_("corrected"),
    N_("instructions"),
    N_("preferences"),
    N_("verdicts"),
    N_("untrained"),
    N_("active"),
)
"""What is shown before them."""


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.pass_obj
def stats(invocation: Invocation, as_json: bool) -> None:
    """Count the feedback, what of it has been learned, and say what is thin."""
    adapters = invocation.adapters()
    learned = adapters.learned()
    with invocation.home(write=False) as repository:
        records = repository.records()
        totals: dict[str, Any] = {
            "conversations": len(repository.conversations()),
            **asdict(repository.counts()),
            "untrained": sum(
                record.kind == "instruction" and record.id not in learned
                for record in repository.trainable()
            ),
            "active": adapters.active(),
        }
    # The reward model learns from all pairs each time, so the latest one has learned them all.
    scored = frozenset(
        adapters.versions("reward")[-1].records if adapters.versions("reward") else ()
    )
    config = invocation.config
    tuning = config.tuning
    pairs = max(tuning.preference.minimum_pairs, tuning.reward.minimum_pairs)
    needs = Needs(tuning.sft.minimum_records, pairs, tuning.preference.minimum_thumbs)
    found = statistics(records, learned | scored, merged(config.tasks), needs)
    if as_json:
        click.echo(json.dumps({**totals, **asdict(found)}, ensure_ascii=False))
        return
    for name in _TOTALS:
        click.echo(f"{padded(_(name), 14)} {totals[name]}")
    _show(found)


def _show(found: Statistics) -> None:
    sections: dict[str, Mapping[str, int]] = {name: getattr(found, name) for name in _SECTIONS}
    width = max(cell_len(harmless(_(name))) for counts in sections.values() for name in counts)
    for section, counts in sections.items():
        if any(counts.values()):
            click.echo(f"\n{_(section)}")
            for name, count in counts.items():
                shown = padded(harmless(_(name)), width)
                click.echo(f"  {shown} {count:>7,}")
    if found.gaps:
        click.echo("\n" + _("what is thin"))
        for gap in found.gaps:
            click.echo(f"  {harmless(gap)}")


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="A JSON array instead of lines.")
@click.pass_obj
def check(invocation: Invocation, as_json: bool) -> None:
    """Look for contradictions, secrets, repetitions and records that are too long.

    Nothing is changed: `tutee show` and `tutee delete` take the ids that are listed.
    """
    with invocation.home(write=False) as repository:
        records = repository.records()
    findings = checked(records, *_lengths(invocation, records))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
        return
    _tell(findings, len(records))


def _lengths(
    invocation: Invocation, records: Sequence[Record]
) -> tuple[Mapping[str, int] | None, int | None]:
    """The lengths and the limit, where the model is there: it is not fetched for this."""
    config = invocation.config
    folder = named(config.chat.model, invocation.paths.cache)
    if not folder.path.is_dir():
        click.echo(_("Lengths are not checked: the model has not been fetched yet."), err=True)
        return None, None
    return lengths(records, folder, config), limit(folder, config.tuning)


def _tell(findings: Sequence[Finding], records: int) -> None:
    kind = ""
    for finding in findings:
        if finding.kind != kind:
            kind = finding.kind
            click.echo(_(kind))
        ids = " ".join(finding.record_ids)
        click.echo(f"  {harmless(finding.message)}\n    {harmless(ids)}")
    kinds = Counter(finding.kind for finding in findings)
    told = _(", ").join(f"{number} {_(kind)}" for kind, number in kinds.items())
    told = told or _("nothing found")
    click.echo(
        _("{records} checked: {found}").format(records=counted(records, "record"), found=told)
    )
