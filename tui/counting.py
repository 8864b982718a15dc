"""Statistics as they are shown: sections of counts, empty ones left out. Pure."""

from collections.abc import Mapping

from data.statistics import DISLIKED, LIKED, Statistics
from tui.text import counted, harmless
from tui.views import CountView, SectionView, StatisticsView

_STYLES = {LIKED: "$text-success", DISLIKED: "$text-error"}
_NAMES = {LIKED: "👍 liked", DISLIKED: "👎 disliked"}


def statistics_view(found: Statistics) -> StatisticsView:
    """The counts in the order of their weight."""
    kinds = SectionView(
        "Records",
        tuple(
            CountView(kind, count, f"{found.trained[kind]:,} learned" if count else "")
            for kind, count in found.kinds.items()
        ),
    )
    others = (
        _section("Thumbs", found.labels),
        _section("Reasons of 👎", found.reasons),
        _section("Tasks", found.tasks),
        _section("Languages", found.languages),
        _section("Length of the reply", found.lengths),
        _section("Sources", found.sources),
    )
    lessons = counted(found.lessons, "lesson")
    excluded = f", {found.excluded:,} kept out of training" if found.excluded else ""
    return StatisticsView(
        summary=f"{counted(found.records, 'record')} from {lessons}{excluded}",
        gaps=tuple(map(harmless, found.gaps)),
        sections=(
            kinds,
            *(section for section in others if any(row.count for row in section.rows)),
        ),
    )


def _section(title: str, counts: Mapping[str, int]) -> SectionView:
    return SectionView(
        title,
        tuple(
            CountView(harmless(_NAMES.get(name, name)), count, style=_STYLES.get(name, "$primary"))
            for name, count in counts.items()
        ),
    )
