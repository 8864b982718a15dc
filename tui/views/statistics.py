"""Statistics as sections of counts, without empty sections. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from data.quality.statistics import DISLIKED, LIKED, Statistics
from store.i18n import N_, _
from tui.text_format import counted, harmless

_STYLES = {LIKED: "$text-success", DISLIKED: "$text-error"}
_NAMES = {LIKED: N_("👍 liked"), DISLIKED: N_("👎 disliked")}


@dataclass(frozen=True)
class CountView:
    """One count, drawn as a bar."""

    name: str
    count: int
    note: str = ""
    style: str = "$primary"


@dataclass(frozen=True)
class SectionView:
    title: str
    rows: tuple[CountView, ...]


@dataclass(frozen=True)
class StatisticsView:
    summary: str
    gaps: tuple[str, ...]
    """What is missing, a sentence each."""
    sections: tuple[SectionView, ...]


def statistics_view(found: Statistics) -> StatisticsView:
    """Build the sections, most important first."""
    learned = _("{count:,} learned")
    kinds = [
        CountView(_(kind), count, learned.format(count=found.trained[kind]) if count else "")
        for kind, count in found.kinds.items()
    ]
    others = (
        _section(_("Thumbs"), found.labels),
        _section(_("Reasons for 👎"), found.reasons),
        _section(_("Tasks"), found.tasks),
        _section(_("Languages"), found.languages),
        _section(_("Reply length"), found.lengths),
        _section(_("Sources"), found.sources),
    )
    lessons = counted(found.lessons, "lesson")
    summary = _("{records} from {lessons}")
    if found.excluded:
        summary = _("{records} from {lessons}, {excluded:,} excluded from training")
    return StatisticsView(
        summary=summary.format(
            records=counted(found.records, "record"), lessons=lessons, excluded=found.excluded
        ),
        gaps=tuple(map(harmless, found.gaps)),
        sections=(
            SectionView(_("Records"), tuple(kinds)),
            *(section for section in others if any(row.count for row in section.rows)),
        ),
    )


def _section(title: str, counts: Mapping[str, int]) -> SectionView:
    rows = [
        CountView(harmless(_(_NAMES.get(name, name))), count, style=_STYLES.get(name, "$primary"))
        for name, count in counts.items()
    ]
    return SectionView(title, tuple(rows))
