"""An unfinished run on the disk: all that is needed to go on with it in another process.

    models/<model id>/.run/run.json    the plan: records as they were, settings, parent
    models/<model id>/.run/<pass>/     the checkpoints of the pass under way

The plan is written once, when the run begins, and never changed. Which passes are done is not
written there but read from the versions on the disk that the run did not find when it began, so
that no crash can leave the two at odds. The folder is gone once the run has ended, or was
cancelled.

A record that was deleted must not come back in a new adapter, so a run that learns from one is
dropped instead of resumed.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.adapters.registry import Adapters, Manifest
from core.config import Tuning
from core.events import PassDone, PassName
from core.runs.plan import PassPlan, Plan, Prompts, Selection
from core.training.checkpoints import steps_done
from store.errors import TuteeError
from store.feedback import dedup_key
from store.i18n import _
from store.records import Record, now
from store.storage import private_folder, replace_file

_FOLDER = ".run"
_FILE = "run.json"
_OF_RECORDS = ("sft", "kto", "dpo", "reward")


class _Kept(BaseModel):
    """A plan as it is written, each record once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    began: datetime = Field(default_factory=now)
    revision: str
    """Of the base model."""
    before: tuple[str, ...]
    """The versions that were there when the run began."""
    passes: tuple[PassPlan, ...]
    parent: str
    reward_parent: str
    settings: Tuning
    system_prompt: str
    rebuild: bool
    records: tuple[Record, ...]
    selections: dict[str, dict[str, tuple[str, ...]]]
    """By pass and part of its `Selection`: ids of records."""
    rl: Prompts


@dataclass(frozen=True)
class Run:
    """A run that has begun and not ended."""

    plan: Plan
    began: datetime
    before: frozenset[str]
    """The versions that were there when it began."""

    @property
    def folder(self) -> Path:
        return _folder(self.plan.adapters)

    def finished(self) -> list[PassDone]:
        """The passes that are done, in the order they ran."""
        adapters = self.plan.adapters
        made = [
            manifest
            for manifest in (*adapters.versions("adapter"), *adapters.versions("reward"))
            if manifest.version not in self.before
        ]
        return [_as_done(manifest) for manifest in sorted(made, key=lambda m: m.created)]

    def under_way(self) -> tuple[PassName, int] | None:
        """The pass to go on with, and how many optimiser steps of it are done."""
        done = {finished.name for finished in self.finished()}
        for planned in self.plan.wanted:
            if planned.name not in done:
                return planned.name, steps_done(self.checkpoints(planned.name))
        return None

    def checkpoints(self, name: PassName) -> Path:
        """Where the pass `name` keeps its checkpoints."""
        return self.folder / name

    def leave(self, name: PassName) -> None:
        """Throw the checkpoints of a pass away that is done."""
        shutil.rmtree(self.checkpoints(name), ignore_errors=True)

    def drop(self) -> None:
        """Forget the run; the versions it made stay."""
        shutil.rmtree(self.folder, ignore_errors=True)


def begin(plan: Plan) -> Run:
    """Write `plan` down, in the place of an unfinished run if there is one.

    Raises:
        TuteeError: it cannot be written.
    """
    adapters = plan.adapters
    before = [m.version for m in (*adapters.versions("adapter"), *adapters.versions("reward"))]
    records = {r.id: r for name in _OF_RECORDS for r in _records(getattr(plan, name))}
    kept = _Kept(
        revision=adapters.folder.revision,
        before=tuple(before),
        passes=plan.passes,
        parent=plan.parent,
        reward_parent=plan.reward_parent,
        settings=plan.settings,
        system_prompt=plan.system_prompt,
        rebuild=plan.rebuild,
        records=tuple(records.values()),
        selections={name: _ids(getattr(plan, name)) for name in _OF_RECORDS},
        rl=plan.rl,
    )
    run = Run(plan, kept.began, frozenset(before))
    run.drop()
    private_folder(run.folder)
    replace_file(run.folder / _FILE, kept.model_dump_json().encode("utf-8"))
    return run


def unfinished(adapters: Adapters, records: Sequence[Record]) -> Run | None:
    """The run to go on with, if one of this base was interrupted.

    Args:
        records: All live records.

    Raises:
        TuteeError: there was one, but it cannot be resumed and was dropped.
    """
    path = _folder(adapters) / _FILE
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise _dropped(adapters, _("what was written of it cannot be read")) from error
    if kept.revision != adapters.folder.revision:
        raise _dropped(adapters, _("the base model has changed"))
    if not _all_live(kept, records):
        raise _dropped(adapters, _("records it learned from have been deleted or changed"))
    return Run(_plan(kept, adapters), kept.began, frozenset(kept.before))


def _folder(adapters: Adapters) -> Path:
    return adapters.dir / _FOLDER


def _dropped(adapters: Adapters, why: str) -> TuteeError:
    shutil.rmtree(_folder(adapters), ignore_errors=True)
    return TuteeError(
        _("The interrupted training run was dropped: {why}.").format(why=why),
        _("Train again to begin a new one."),
    )


def _all_live(kept: _Kept, records: Sequence[Record]) -> bool:
    live = {record.id: record for record in records}
    prompts = {record.prompt for record in records}
    return all(
        r.id in live and dedup_key(live[r.id]) == dedup_key(r) for r in kept.records
    ) and all(prompt in prompts for prompt in (*kept.rl.train, *kept.rl.held_out))


def _records(selection: Selection[Any]) -> list[Record]:
    return [record for part in fields(selection) for record in getattr(selection, part.name)]


def _ids(selection: Selection[Any]) -> dict[str, tuple[str, ...]]:
    return {
        part.name: tuple(record.id for record in getattr(selection, part.name))
        for part in fields(selection)
    }


def _plan(kept: _Kept, adapters: Adapters) -> Plan:
    records = {record.id: record for record in kept.records}
    return Plan(
        passes=kept.passes,
        parent=kept.parent,
        reward_parent=kept.reward_parent,
        adapters=adapters,
        settings=kept.settings,
        system_prompt=kept.system_prompt,
        rl=kept.rl,
        rebuild=kept.rebuild,
        **{name: _selection(kept.selections[name], records) for name in _OF_RECORDS},
    )


def _selection(ids: Mapping[str, Sequence[str]], records: Mapping[str, Record]) -> Selection[Any]:
    return Selection(**{part: tuple(records[i] for i in ids[part]) for part in ids})


def _as_done(manifest: Manifest) -> PassDone:
    figures = dict(manifest.metrics)
    return PassDone(
        name=manifest.pass_name,  # type: ignore[arg-type]  # a plain string in the manifest
        version=manifest.version,
        steps=figures.pop("steps"),
        losses=tuple(figures.pop("losses")),
        seconds=figures.pop("seconds"),
        trained_tokens=figures.pop("trained_tokens"),
        metrics=figures,
        held_back=manifest.held_back,
    )
