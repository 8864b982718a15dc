"""What a plan will do that its user may not expect, in sentences."""

from contextlib import suppress

from core.adapters.manifest import Manifest
from core.config import Tuning
from core.events import PassName
from core.runs.plan import Plan
from core.runs.template_refusals import refused_records
from core.training.lora import continued
from store.errors import TuteeError
from store.i18n import _, ngettext

_NAMED = 3
"""Refused records that are named; `tutee check` names all."""


def plan_notes(plan: Plan) -> list[str]:
    """Return the notes on the wanted passes of `plan`; usually none."""
    refused = _refused(plan)
    policies = [p.name for p in plan.wanted if p.name != "reward"]
    if not policies:
        return refused
    settings = plan.settings
    with suppress(TuteeError):  # the pass will refuse it
        settings = continued(settings, plan.adapters.path(plan.parent))
    notes = [*refused, *([_kept_shape(plan, settings)] if settings != plan.settings else [])]
    # A pass that may be activated changes what the ones after it continue.
    for name in policies:
        held_back = _held_back_before(plan, name, settings)
        if held_back is None:
            break
        notes.append(_would_repeat(name, held_back.version))
    return notes


def _refused(plan: Plan) -> list[str]:
    """Name the records of the wanted passes that the chat template refuses."""
    names = [planned.name for planned in plan.wanted if planned.name != "rl"]
    records = {record.id: record for name in names for record in plan.records(name).train}
    refused: dict[str, str] = {}
    with suppress(TuteeError):  # the pass will say it
        refused = refused_records(list(records.values()), plan.adapters.folder, plan.system_prompt)
    if not refused:
        return []
    shown = _(", ").join(list(refused)[:_NAMED]) + (" …" if len(refused) > _NAMED else "")
    text = ngettext(
        "{count} record is left out, because this model's chat template refuses it ({ids}): {why}",
        "{count} records are left out, because this model's chat template refuses them ({ids}):"
        " {why}",
        len(refused),
    )
    return [text.format(count=len(refused), ids=shown, why=next(iter(refused.values())))]


def _kept_shape(plan: Plan, kept: Tuning) -> str:
    def shape(settings: Tuning) -> str:
        return f"{settings.rank}, {settings.alpha}, {settings.dropout}"

    return _(
        "Continuing {parent} keeps its rank, alpha and dropout ({kept}). Those of the settings "
        "({wanted}) apply when you rebuild from the base."
    ).format(parent=plan.parent, kept=shape(kept), wanted=shape(plan.settings))


def _would_repeat(name: PassName, version: str) -> str:
    return _(
        "{name} would only make {version} again, which was held back: same records, same settings, "
        "same parent. Teach more, change the training settings, or activate {version} yourself."
    ).format(name=name.upper(), version=version)


def _held_back_before(plan: Plan, name: PassName, settings: Tuning) -> Manifest | None:
    """Return the version that was held back after the very pass that `plan` would run."""
    made = [
        manifest
        for manifest in plan.adapters.versions()
        if manifest.held_back
        and (manifest.pass_name, manifest.parent) == (name, plan.parent)
        and manifest.settings == settings.model_dump()
        and _same_records(plan, name, manifest)
    ]
    return made[-1] if made else None


def _same_records(plan: Plan, name: PassName, manifest: Manifest) -> bool:
    if name == "rl":  # it samples its replies
        return False
    records, trained = plan.records(name), {*manifest.records, *manifest.replayed}
    left_out = sum(record.id not in trained for record in records.train)
    planned = {record.id for record in (*records.unlearned, *records.replayed)}
    return trained <= planned and left_out == manifest.left_out
