"""Statistics as they are shown: sections of counts, empty ones left out. Pure."""

from collections.abc import Mapping

from data.quality.statistics import DISLIKED, LIKED, Statistics
from store.i18n import N_, _
from tui.text import counted, harmless
from tui.views import CountView, SectionView, StatisticsView

_STYLES = {LIKED: "$text-success", DISLIKED: "$text-error"}
_NAMES = {LIKED: N_("👍 liked"), DISLIKED: N_("👎 disliked")}


def statistics_view(found: Statistics) -> StatisticsView:
    """The counts in the order of their weight."""
    kinds = SectionView(
        _("Records"),
        tuple(
            CountView(
                _(kind),
                count,
                _("{count:,} learned").format(count=found.trained[kind]) if count else "",
            )
            for kind, count in found.kinds.items()
        ),
    )
    others = (
        _section(_("Thumbs"), found.labels),
        _section(_("Reasons of 👎"), found.reasons),
        _section(_("Tasks"), found.tasks),
        _section(_("Languages"), found.languages),
        _section(_("Length of the reply"), found.lengths),
        _section(_("Sources"), found.sources),
    )
    lessons = counted(found.lessons, "lesson")
    summary = _("{records} from {lessons}")
    if found.excluded:
        summary = _("{records} from {lessons}, {excluded:,} kept out of training")
    return StatisticsView(
        summary=summary.format(
            records=counted(found.records, "record"), lessons=lessons, excluded=found.excluded
        ),
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
            CountView(
                harmless(_(_NAMES.get(name, name))), count, style=_STYLES.get(name, "$primary")
            )
            for name, count in counts.items()
        ),
    )
