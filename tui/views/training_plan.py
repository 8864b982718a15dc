"""What the next training run would do, pass by pass."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.i18n import _
from tui.text_format import clock
from tui.views.training_progress import label

if TYPE_CHECKING:
    from core.runs.plan import PassPlan, Plan


@dataclass(frozen=True)
class PassView:
    """One pass of a training plan."""

    label: str
    wanted: bool
    forced: bool
    """It will run although it has less than it should."""
    detail: str
    """What it has, and what it lacks."""
    time: str = ""


def pass_views(plan: "Plan") -> list[PassView]:
    """The passes of `plan` as they are shown."""
    return [
        PassView(
            label=label(planned.name),
            wanted=planned.wanted,
            forced=planned.wanted and not planned.ready,
            detail=_detail(planned),
            time=f"~{clock(planned.seconds)}" if planned.wanted else "",
        )
        for planned in plan.passes
    ]


def _detail(planned: "PassPlan") -> str:
    """What the pass would learn from, or what it lacks."""
    if planned.missing and not planned.wanted:
        return planned.missing
    parts = [_("{count} new").format(count=planned.new)]
    if planned.replayed:
        parts.append(_("{count} replayed").format(count=planned.replayed))
    if planned.held_out:
        parts.append(_("{count} held out").format(count=planned.held_out))
    return " + ".join(parts)
