"""The plan of the next training run, pass by pass."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.i18n import _, ngettext
from tui.text_format import clock
from tui.views.training_progress import pass_label

if TYPE_CHECKING:
    from core.runs.plan import PassPlan, Plan


@dataclass(frozen=True)
class PassView:
    label: str
    wanted: bool
    forced: bool
    """It will run below its minimum."""
    detail: str
    """What it has, or what it lacks."""
    time: str = ""


def pass_views(plan: "Plan") -> list[PassView]:
    return [
        PassView(
            label=pass_label(planned.name),
            wanted=planned.wanted,
            forced=planned.wanted and not planned.ready,
            detail=_detail(planned),
            time=f"~{clock(planned.seconds)}" if planned.wanted else "",
        )
        for planned in plan.passes
    ]


def _detail(planned: "PassPlan") -> str:
    if planned.missing and not planned.wanted:
        return planned.missing
    new = _("{count} to learn")
    if planned.name == "rl":  # learns by its own replies to them
        new = ngettext("{count} prompt", "{count} prompts", planned.new)
    parts = [new.format(count=planned.new)]
    if planned.replayed:
        parts.append(_("{count} replayed").format(count=planned.replayed))
    if planned.held_out:
        parts.append(_("{count} held out").format(count=planned.held_out))
    return " + ".join(parts)
