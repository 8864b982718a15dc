"""Save what a finished pass made: a version with its weights, report and manifest."""

from collections.abc import Collection, Container
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version as library_version
from typing import TYPE_CHECKING, Any

from core.adapters.compatibility import tokenizer_template_hash
from core.adapters.manifest import BASE, Kind, Manifest, write_manifest
from core.config import Tuning
from core.evaluation import report
from core.evaluation.gate import reasons_to_hold_back
from core.evaluation.report import Report
from core.events import PassDone, PassName
from core.runs.plan import RECORD_PASSES, Plan
from core.runs.record_selection import PassRecords
from core.training import lora
from core.training.exam import Figures
from data.training_split import group_keys, prompt_key
from store.feedback import dedup_key
from store.records import Record

if TYPE_CHECKING:
    from core.training.result import Trained

_LIBRARIES = ("torch", "transformers", "peft", "trl")
_PROMPT_CHARACTERS = 80
"""Of a prompt that is named in the metrics; the report has all of it."""


@dataclass(frozen=True)
class LearnedRecords:
    """The records that a version was trained and measured on."""

    records: tuple[str, ...] = ()
    """Ids of those it learned first."""
    replayed: tuple[str, ...] = ()
    """Ids of the earlier ones it repeated."""
    left_out: int = 0
    """Number of records that were too long, or refused by the chat template."""
    measured: tuple[str, ...] = ()
    """Ids of the pairs that a reward model was only measured with."""


def learned_records(
    records: PassRecords[Any],
    new: Container[str],
    replayed: Collection[str],
    measured: Collection[str] = (),
) -> LearnedRecords:
    """Return what a version has learned that was trained on the ids `new` and `replayed`.

    A duplicate of a record in `new` counts as learned too.
    """
    left_out = sum(r.id not in new and r.id not in replayed for r in records.train)
    learned = {dedup_key(record) for record in records.new if record.id in new}
    ids = tuple(record.id for record in records.unlearned if dedup_key(record) in learned)
    return LearnedRecords(ids, tuple(replayed), left_out, tuple(measured))


def save_version(
    plan: Plan,
    parent: str,
    name: PassName,
    trained: "Trained",
    learned: LearnedRecords,
    metrics: dict[str, Any],
) -> PassDone:
    """Write a new version.

    Args:
        parent: The version that training started from.
        metrics: Further metrics, beside those of `trained`.

    Raises:
        TuteeError: it cannot be written; nothing is kept.
    """
    kind: Kind = "reward" if name == "reward" else "adapter"
    speed = trained.trained_tokens / max(trained.seconds, 1e-3)
    done = PassDone(
        name=name,
        version="",
        steps=trained.steps,
        losses=trained.losses,
        seconds=round(trained.seconds, 2),
        trained_tokens=trained.trained_tokens,
        metrics={
            **trained.metrics,
            "tokens": trained.tokens,
            "trained_tokens_per_second": round(speed, 1),
            "left_out_too_long": learned.left_out - metrics.get("left_out_refused", 0),
            **_taught(trained.after),
            **metrics,
        },
    )
    with plan.adapters.new_version(kind) as (version, directory):
        trained.save(directory)
        done = replace(done, version=version)
        if trained.before and trained.after:
            examined = Report(
                version=version,
                parent=parent,
                pass_name=name,
                before=trained.before,
                after=trained.after,
                base=trained.base,
                languages=plan.languages,
                metrics=done.metrics,
            )
            done = replace(done, held_back=reasons_to_hold_back(examined))
            report.write(directory, examined.model_copy(update={"held_back": done.held_back}))
        # What it was saved with: a continued adapter keeps the rank and alpha of its parent.
        settings = lora.continued(plan.settings, directory)
        write_manifest(
            directory, _manifest(plan, parent, kind, done, trained.tokenizer, learned, settings)
        )
    if trained.base and parent != BASE:
        report.write_base_figures(plan.adapters.dir, trained.base)
    return done


def _taught(after: Figures | None) -> dict[str, Any]:
    """Return how many of the taught prompts that were asked are learned, and which are not."""
    if after is None or not after.taught:
        return {}
    resisted = [answer.prompt for answer in after.taught if not answer.learned]
    return {
        "taught_asked": len(after.taught),
        "taught_learned": len(after.taught) - len(resisted),
        "taught_resisted": [" ".join(prompt.split())[:_PROMPT_CHARACTERS] for prompt in resisted],
    }


def _manifest(
    plan: Plan,
    parent: str,
    kind: Kind,
    done: PassDone,
    tokenizer: Any,
    learned: LearnedRecords,
    settings: Tuning,
) -> Manifest:
    folder = plan.adapters.folder
    return Manifest(
        version=done.version,
        kind=kind,
        pass_name=done.name,
        model=folder.id,
        revision=folder.revision,
        template=tokenizer_template_hash(tokenizer),
        parent=parent,
        run=plan.run,
        records=learned.records,
        replayed=learned.replayed,
        measured=learned.measured,
        groups=_groups(plan, done.name, {*learned.records, *learned.replayed}),
        data=_data_hash(plan, {*learned.records, *learned.replayed}),
        held_back=done.held_back,
        settings=settings.model_dump(),
        libraries={library: library_version(library) for library in _LIBRARIES},
        metrics={
            **done.metrics,
            "steps": done.steps,
            "losses": done.losses,
            "seconds": done.seconds,
            "trained_tokens": done.trained_tokens,
        },
    )


def _groups(plan: Plan, name: PassName, ids: Container[str]) -> tuple[str, ...]:
    """Return the keys of the conversations and prompts of these records, or of RL's prompts."""
    if name == "rl":
        keys = set(map(prompt_key, plan.rl.train))
    else:
        keys = {key for record in _trained(plan, ids) for key in group_keys(record)}
    return tuple(sorted(keys))


def _data_hash(plan: Plan, ids: Container[str]) -> str:
    """Return a SHA-256 by which two versions can be seen to have been trained on the same data."""
    digest = sha256()
    for line in sorted({repr(dedup_key(record)) for record in _trained(plan, ids)}):
        digest.update(line.encode("utf-8"))
    return digest.hexdigest()


def _trained(plan: Plan, ids: Container[str]) -> list[Record]:
    """Return the plan's records with these ids."""
    parts = map(plan.records, RECORD_PASSES)
    records = (record for part in parts for record in (*part.unlearned, *part.replayed))
    return [record for record in records if record.id in ids]
