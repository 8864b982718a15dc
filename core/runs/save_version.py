"""What a finished pass leaves: a version with its manifest, its report and the gate's verdict."""

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version as library_version
from typing import TYPE_CHECKING, Any

from core.adapters.registry import BASE, Kind, Manifest, template_hash, write_manifest
from core.evaluation import report
from core.evaluation.gate import judge
from core.evaluation.report import Report
from core.events import PassDone, PassName
from core.runs.plan import Plan, Selection
from store.feedback import dedup_key
from store.records import Record

if TYPE_CHECKING:
    from core.training.result import Trained

_LIBRARIES = ("torch", "transformers", "peft", "trl")


@dataclass(frozen=True)
class Learned:
    """Which records a version comes from."""

    records: tuple[str, ...] = ()
    """Ids of those it learned first."""
    replayed: tuple[str, ...] = ()
    """Ids of the earlier ones it repeated."""
    left_out: int = 0
    """Records that were too long."""
    measured: tuple[str, ...] = ()
    """Ids of the pairs that a reward model was only measured with."""


def learned(
    chosen: Selection[Any],
    new: Container[str],
    replayed: Collection[str],
    measured: Collection[str] = (),
) -> Learned:
    """What a version has learned that was trained on the records `new` and `replayed`."""
    lost = sum(r.id not in new and r.id not in replayed for r in chosen.train)
    return Learned(_covered(chosen, new), tuple(replayed), lost, tuple(measured))


def _covered(chosen: Selection[Any], trained: Container[str]) -> tuple[str, ...]:
    """Ids of all records that say what a trained one says, itself included."""
    told = {dedup_key(record) for record in chosen.new if record.id in trained}
    return tuple(record.id for record in chosen.unlearned if dedup_key(record) in told)


def save(
    plan: Plan,
    parent: str,
    name: PassName,
    trained: "Trained",
    lessons: Learned,
    figures: dict[str, Any],
) -> PassDone:
    """Write a new version.

    Args:
        parent: The version that the training began from.
        figures: Further metrics.

    Raises:
        TuteeError: it cannot be written; nothing stays behind.
    """
    kind: Kind = "reward" if name == "reward" else "adapter"
    before, after, languages = trained.before, trained.after, plan.languages
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
            "trained_tokens_per_second": round(
                trained.trained_tokens / max(trained.seconds, 1e-3), 1
            ),
            "left_out_too_long": lessons.left_out,
            **figures,
        },
        held_back=judge(before, after, languages) if before and after else (),
    )
    with plan.adapters.new_version(kind) as (version, directory):
        trained.save(directory)
        done = replace(done, version=version)
        if before and after:
            report.write(
                directory,
                Report(
                    version=version,
                    parent=parent,
                    pass_name=name,
                    before=before,
                    after=after,
                    languages=languages,
                    held_back=done.held_back,
                    metrics=done.metrics,
                ),
            )
        write_manifest(directory, _manifest(plan, parent, kind, done, trained.tokenizer, lessons))
    if before and parent == BASE:
        report.remember_base(plan.adapters.dir, before)
    return done


def _a_second(trained: "Trained") -> float:
    """Tokens learned from a second; none where it was trained elsewhere."""
    return trained.trained_tokens / trained.seconds if trained.seconds else 0.0


def _manifest(
    plan: Plan, parent: str, kind: Kind, done: PassDone, tokenizer: Any, lessons: Learned
) -> Manifest:
    folder = plan.adapters.folder
    return Manifest(
        version=done.version,
        kind=kind,
        pass_name=done.name,
        model=folder.id,
        revision=folder.revision,
        template=template_hash(tokenizer),
        parent=parent,
        records=lessons.records,
        replayed=lessons.replayed,
        measured=lessons.measured,
        data=_fingerprint(plan, {*lessons.records, *lessons.replayed}),
        held_back=done.held_back,
        settings=plan.settings.model_dump(),
        libraries={library: library_version(library) for library in _LIBRARIES},
        metrics={
            **done.metrics,
            "steps": done.steps,
            "losses": done.losses,
            "seconds": done.seconds,
            "trained_tokens": done.trained_tokens,
        },
    )


def _fingerprint(plan: Plan, ids: Container[str]) -> str:
    """SHA-256 of what was trained on, so that two versions can be told to have seen the same."""
    digest = sha256()
    selections = (plan.sft, plan.kto, plan.dpo, plan.reward)
    records: Sequence[Record] = [r for s in selections for r in (*s.unlearned, *s.replayed)]
    for line in sorted({repr(dedup_key(record)) for record in records if record.id in ids}):
        digest.update(line.encode("utf-8"))
    return digest.hexdigest()
