"""`tutee stats`: how much feedback there is, what has been learned and what is thin."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.cells import cell_len

from core.runs.record_selection import count_instructions
from data.quality.statistics import Needs, Statistics, statistics
from data.quality.task_labels import merged
from store.i18n import N_, _
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation, json_option
from tui.cli.json_output import echo_json
from tui.text_format import harmless, padded

_SECTIONS = (
    N_("trained"),
    N_("labels"),
    N_("reasons"),
    N_("tasks"),
    N_("languages"),
    N_("lengths"),
    N_("sources"),
)
"""Statistics shown as tables."""
_TOTALS = (
    N_("conversations"),
    N_("liked"),
    N_("disliked"),
    N_("corrected"),
    N_("instructions"),
    N_("preferences"),
    N_("verdicts"),
    N_("to learn"),
    N_("held out"),
    N_("learned"),
    N_("active"),
)
"""Totals shown above the tables."""


@click.command(cls=LocalizedCommand)
@json_option
@click.pass_obj
def stats(invocation: Invocation, as_json: bool) -> None:
    """Summarize the feedback: what is learned and what is thin."""
    adapters = invocation.adapters()
    learned = adapters.learned()
    with invocation.home(write=False) as repository:
        records = repository.records()
        totals: dict[str, Any] = {
            "conversations": len(repository.conversations()),
            **asdict(repository.counts()),
            **asdict(count_instructions(repository.trainable(), adapters)),
            "active": adapters.active(),
        }
    # The reward model is retrained on all pairs, so the latest one has learned them all.
    scored = frozenset(
        adapters.versions("reward")[-1].records if adapters.versions("reward") else ()
    )
    config = invocation.config
    tuning = config.tuning
    pairs = max(tuning.preference.minimum_pairs, tuning.reward.minimum_pairs)
    needs = Needs(tuning.sft.minimum_records, pairs, tuning.preference.minimum_thumbs)
    found = statistics(records, learned | scored, merged(config.tasks), needs)
    if as_json:
        echo_json({**totals, **asdict(found)})
        return
    for name in _TOTALS:
        click.echo(f"{padded(_(name), 14)} {totals[name.replace(' ', '_')]}")
    _show(found)


def _show(found: Statistics) -> None:
    sections: dict[str, Mapping[str, int]] = {name: getattr(found, name) for name in _SECTIONS}
    width = max(cell_len(harmless(_(name))) for counts in sections.values() for name in counts)
    for section, counts in sections.items():
        if any(counts.values()):
            click.echo(f"\n{_(section)}")
            for name, count in counts.items():
                click.echo(f"  {padded(harmless(_(name)), width)} {count:>7,}")
    if found.gaps:
        click.echo("\n" + _("what is thin"))
        for gap in found.gaps:
            click.echo(f"  {harmless(gap)}")
