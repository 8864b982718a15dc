"""The list of versions: what each learned and how it scored. Pure, apart from reading reports."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from core.adapters.manifest import BASE, Manifest
from core.adapters.registry import Adapters
from core.evaluation import report
from core.evaluation.report import Report
from core.stop_reasons import translated
from store.errors import TuteeError
from store.i18n import _
from store.local_time import local, local_day
from store.records import now
from tui.text_format import counted
from tui.views.training_progress import LABELS, pass_label


@dataclass(frozen=True)
class VersionView:
    name: str
    active: bool
    created: str = ""
    detail: str = ""
    label: str = ""
    """The user's name for it."""
    note: str = ""
    held_back: tuple[str, ...] = ()
    """Why its gate kept it from being activated."""
    possible: frozenset[str] = frozenset()
    """Actions that apply: `activate`, `report`, `label`, `delete`."""


def version_views(adapters: Adapters) -> list[VersionView]:
    """List all versions, newest first, the base last."""
    active, remarks = adapters.active(), adapters.remarks()
    made = [*adapters.versions("adapter"), *adapters.versions("reward")]
    views = []
    for manifest in sorted(made, key=lambda manifest: manifest.created, reverse=True):
        name, remark = manifest.version, remarks.get(manifest.version)
        examined = _report(adapters, manifest)
        views.append(
            VersionView(
                name=name,
                active=name == active,
                created=_when(manifest.created),
                detail=" · ".join(_facts(manifest, examined)),
                label=remark.label if remark else "",
                note=remark.note if remark else "",
                held_back=tuple(map(translated, manifest.held_back)),
                possible=frozenset(_possible(manifest, active)),
            )
        )
    base = frozenset() if active == BASE else frozenset({"activate"})
    return [*views, VersionView(BASE, active == BASE, detail=_("original model"), possible=base)]


def _report(adapters: Adapters, manifest: Manifest) -> Report | None:
    """Read the report of a version; None if it is missing or damaged."""
    try:
        return report.read(adapters.dir / manifest.version)
    except TuteeError:
        return None


def _possible(manifest: Manifest, active: str) -> Iterator[str]:
    yield from ("label", "report")
    if manifest.version != active:
        yield "delete"
        if manifest.kind == "adapter":
            yield "activate"


def _facts(manifest: Manifest, examined: Report | None) -> Iterator[str]:
    """Yield facts, most important first: a narrow terminal cuts off the rest."""
    metrics = manifest.metrics
    yield pass_label(manifest.pass_name) if manifest.pass_name in LABELS else manifest.pass_name
    if manifest.kind == "reward":
        yield from _reward_facts(metrics)
    elif manifest.pass_name == "rl":
        yield from _change(_("reward"), metrics, "holdout_reward", "+.2f")
    elif asked := metrics.get("taught_asked"):
        text = _("learned {right} of {asked}")
        yield text.format(right=metrics.get("taught_learned"), asked=asked)
    elif examined and examined.before.holdout_loss is not None:
        yield _arrow(
            _("hold-out"), examined.before.holdout_loss, examined.after.holdout_loss, ".2f"
        )
    elif losses := metrics.get("losses"):
        yield _arrow(_("loss"), losses[0], losses[-1], ".2f")
    if manifest.records:
        yield counted(len(manifest.records), "record")
    if manifest.kind == "adapter":
        yield _("from {parent}").format(parent=manifest.parent)


def _reward_facts(metrics: dict[str, object]) -> Iterator[str]:
    accuracy, interval = metrics.get("holdout_accuracy"), metrics.get("holdout_interval")
    if not isinstance(accuracy, float) or not isinstance(interval, (list, tuple)):
        yield _("too few pairs to evaluate")
        return
    low, high = interval
    yield _("{accuracy:.0%} correct ({low:.0%} to {high:.0%})").format(
        accuracy=accuracy, low=low, high=high
    )
    if not metrics.get("passed"):
        yield _("not used")


def _change(name: str, metrics: dict[str, object], key: str, form: str) -> Iterator[str]:
    before, after = metrics.get(f"{key}_before"), metrics.get(key)
    if isinstance(before, float) and isinstance(after, float):
        yield _arrow(name, before, after, form)


def _arrow(name: str, before: float, after: float | None, form: str) -> str:
    return f"{name} {before:{form}} → " + ("–" if after is None else f"{after:{form}}")


def _when(moment: datetime) -> str:
    today = local_day(moment) == local_day(now())
    return _("today {time:%H:%M}").format(time=local(moment)) if today else local_day(moment)
