"""An unfinished run on the disk: everything needed to resume it in another process.

    models/<model id>/.run/run.json    the plan: records as they were, settings, parent
    models/<model id>/.run/<pass>/     the checkpoints of the current pass

The plan is written once, when the run begins. Which passes are done is not stored but read from the
versions on the disk that carry the run's id, so no crash can make the two disagree. The folder is
deleted when the run ends or is cancelled.

A deleted record must not come back in a new adapter, so a run that learns from one is dropped
instead of resumed.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.adapters.manifest import Manifest
from core.adapters.registry import Adapters
from core.config import Tuning
from core.events import PassDone, PassName
from core.runs.plan import RECORD_PASSES, PassPlan, Plan
from core.runs.record_selection import PassRecords, RLPrompts
from core.training.checkpoints import steps_done, steps_planned
from store.errors import TuteeError
from store.feedback import dedup_key
from store.i18n import _
from store.records import Record, new_id, now
from store.storage import private_folder, replace_file

_FOLDER = ".run"
_FILE = "run.json"


class _RunFile(BaseModel):
    """The content of `run.json`: a plan with each record once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    began: datetime = Field(default_factory=now)
    id: str = ""
    """Empty in old files."""
    revision: str
    before: tuple[str, ...] = ()
    """The versions that existed when it began; only in old files."""
    passes: tuple[PassPlan, ...]
    parent: str
    reward_parent: str
    settings: Tuning
    system_prompt: str
    rebuild: bool
    records: tuple[Record, ...]
    selections: dict[str, dict[str, tuple[str, ...]]]
    """Ids of records, by pass and field of its `PassRecords`."""
    rl: RLPrompts


@dataclass(frozen=True)
class SavedRun:
    """A run that has begun and not ended."""

    plan: Plan
    began: datetime
    before: frozenset[str] = frozenset()
    """Versions that it did not make, if it has no id."""

    @property
    def folder(self) -> Path:
        return _folder(self.plan.adapters)

    def finished(self) -> list[PassDone]:
        """Return the passes that are done, in the order they ran."""
        adapters, run = self.plan.adapters, self.plan.run
        versions = (*adapters.versions("adapter"), *adapters.versions("reward"))
        made = [m for m in versions if m.run == run and m.version not in self.before]
        return [_as_done(manifest) for manifest in sorted(made, key=lambda m: m.created)]

    def under_way(self) -> tuple[PassName, int, int] | None:
        """Return the pass to continue, how many optimizer steps of it are done, and of how many.

        Without a checkpoint both numbers are 0.
        """
        done = {finished.name for finished in self.finished()}
        for planned in self.plan.wanted:
            if planned.name not in done:
                folder = self.checkpoints(planned.name)
                return planned.name, steps_done(folder), steps_planned(folder)
        return None

    def checkpoints(self, name: PassName) -> Path:
        return self.folder / name

    def delete_checkpoints(self, name: PassName) -> None:
        shutil.rmtree(self.checkpoints(name), ignore_errors=True)

    def drop(self) -> None:
        """Forget the run; the versions it made stay."""
        shutil.rmtree(self.folder, ignore_errors=True)


def begin(plan: Plan) -> SavedRun:
    """Save `plan` as a run that has begun, replacing an unfinished one.

    Raises:
        TuteeError: it cannot be written.
    """
    plan = replace(plan, run=new_id())
    records = {r.id: r for name in RECORD_PASSES for r in _records(plan.records(name))}
    saved = _RunFile(
        id=plan.run,
        revision=plan.adapters.folder.revision,
        passes=plan.passes,
        parent=plan.parent,
        reward_parent=plan.reward_parent,
        settings=plan.settings,
        system_prompt=plan.system_prompt,
        rebuild=plan.rebuild,
        records=tuple(records.values()),
        selections={name: _ids(plan.records(name)) for name in RECORD_PASSES},
        rl=plan.rl,
    )
    run = SavedRun(plan, saved.began)
    run.drop()
    private_folder(run.folder)
    replace_file(run.folder / _FILE, saved.model_dump_json().encode("utf-8"))
    return run


def unfinished(adapters: Adapters, records: Sequence[Record]) -> SavedRun | None:
    """Return the run of this base that was interrupted, if there is one.

    Args:
        records: All live records.

    Raises:
        TuteeError: there was one, but it could not be resumed and was dropped.
    """
    path = _folder(adapters) / _FILE
    try:
        saved = _RunFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise _dropped(adapters, _("its file cannot be read")) from error
    if saved.revision != adapters.folder.revision:
        raise _dropped(adapters, _("the base model has changed"))
    if not _all_live(saved, records):
        raise _dropped(adapters, _("records it learned from have been deleted or changed"))
    return SavedRun(_plan(saved, adapters), saved.began, frozenset(saved.before))


def _folder(adapters: Adapters) -> Path:
    return adapters.dir / _FOLDER


def _dropped(adapters: Adapters, why: str) -> TuteeError:
    shutil.rmtree(_folder(adapters), ignore_errors=True)
    return TuteeError(
        _("The interrupted training run was dropped: {why}.").format(why=why),
        _("Train again to begin a new one."),
    )


def _all_live(saved: _RunFile, records: Sequence[Record]) -> bool:
    live = {record.id: record for record in records}
    prompts = {record.prompt for record in records}
    return all(
        r.id in live and dedup_key(live[r.id]) == dedup_key(r) for r in saved.records
    ) and all(prompt in prompts for prompt in (*saved.rl.train, *saved.rl.held_out))


def _records(chosen: PassRecords[Any]) -> list[Record]:
    return [record for part in fields(chosen) for record in getattr(chosen, part.name)]


def _ids(records: PassRecords[Any]) -> dict[str, tuple[str, ...]]:
    return {p.name: tuple(r.id for r in getattr(records, p.name)) for p in fields(records)}


def _plan(saved: _RunFile, adapters: Adapters) -> Plan:
    records = {record.id: record for record in saved.records}
    return Plan(
        passes=saved.passes,
        parent=saved.parent,
        reward_parent=saved.reward_parent,
        adapters=adapters,
        settings=saved.settings,
        system_prompt=saved.system_prompt,
        rl=saved.rl,
        rebuild=saved.rebuild,
        run=saved.id,
        **{name: _pass_records(saved.selections[name], records) for name in RECORD_PASSES},
    )


def _pass_records(
    ids: Mapping[str, Sequence[str]], records: Mapping[str, Record]
) -> PassRecords[Any]:
    return PassRecords(**{part: tuple(records[i] for i in ids[part]) for part in ids})


def _as_done(manifest: Manifest) -> PassDone:
    metrics = dict(manifest.metrics)
    return PassDone(
        name=manifest.pass_name,  # type: ignore[arg-type]  # a plain string in the manifest
        version=manifest.version,
        steps=metrics.pop("steps"),
        losses=tuple(metrics.pop("losses")),
        seconds=metrics.pop("seconds"),
        trained_tokens=metrics.pop("trained_tokens"),
        metrics=metrics,
        held_back=manifest.held_back,
    )
