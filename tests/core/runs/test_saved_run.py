"""A run that was killed must go on, in another process, to the versions it would have made."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.adapters.manifest import Manifest, write_manifest
from core.adapters.registry import Adapters
from core.config import Config, PreferenceTuning, SFTTuning, Tuning
from core.events import Event, PassDone, PassName, PassResumed, PassStarted, StageReport, StepReport
from core.models.folder import ModelFolder
from core.runs import run, saved_run
from core.runs.plan import Plan, make_plan
from core.runtime.scheduler import Cancelled
from core.training.run_control import RunControl
from store.errors import TuteeError
from store.records import Record
from tests.core import killed
from tests.core.runs.test_run import instructions, pairs, prompt, thumbs

ROOT = Path(__file__).parents[3]
CONFIG = Config(
    tuning=Tuning(
        epochs=2,
        max_length=256,
        sft=SFTTuning(minimum_steps=4),
        preference=PreferenceTuning(minimum_steps=4),
    )
)


@pytest.fixture
def adapters(tmp_path: Path, tiny_folder: ModelFolder) -> Adapters:
    return Adapters(tmp_path / "models", tiny_folder)


@pytest.fixture(autouse=True)
def short_exam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.training.exam.PROBE_TOKENS", 4)
    monkeypatch.setattr("core.training.checkpoints.EVERY_STEPS", 2)


def test_killed_in_every_pass_it_makes_the_same_versions(
    adapters: Adapters, tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    records: list[Record] = [*instructions(6), *thumbs(4, 4), *pairs(40)]
    (tmp_path / "records.json").write_bytes(killed.RECORDS.dump_json(records))
    kills: list[tuple[PassName, float]] = [
        ("sft", 3),
        ("kto", 6.0),
        ("dpo", 5),
        ("reward", 9),  # while it is cross-validated, which makes no checkpoints
        ("rl", 3),
    ]
    for name, step in kills:
        child = subprocess.run(
            [
                *(sys.executable, "-m", "tests.core.killed", str(tmp_path / "models")),
                *(str(tiny_folder.path), str(tmp_path / "records.json"), name, str(step)),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert (child.returncode, child.stdout, child.stderr) == (-signal.SIGKILL, "", ""), name
        found = saved_run.unfinished(adapters, records)
        assert found is not None
        done = 0 if name == "reward" else max((step - 1) // 2 * 2, min(step - 1, 1))
        assert (found.under_way() or ())[:2] == (name, done)

    whole = Adapters(tmp_path / "undisturbed", tiny_folder)
    with killed.conditions():
        run.run(killed.planned(whole, records), RunControl())
        found = saved_run.unfinished(adapters, records)
        assert found is not None
        run.resume(found, RunControl())
    assert not found.folder.exists()
    names = [version for _, version in sorted(versions(whole))]
    assert [name for name, _ in sorted(versions(whole))] == ["dpo", "kto", "reward", "rl", "sft"]
    assert versions(adapters) == versions(whole)
    for version in names:
        assert made(adapters, version) == made(whole, version), version


def versions(adapters: Adapters) -> list[tuple[str, str]]:
    found = (*adapters.versions("adapter"), *adapters.versions("reward"))
    return [(manifest.pass_name, manifest.version) for manifest in found]


_OF_ITS_TIME = ("trained_tokens_per_second", "wall_seconds", "stage_seconds", "stage_counts")


def made(adapters: Adapters, version: str) -> dict[str, Any]:
    """All that a version is, apart from the time it took."""
    directory = adapters.dir / version
    manifest = json.loads((directory / "manifest.json").read_text())
    del manifest["created"], manifest["run"], manifest["metrics"]["seconds"]
    report = directory / "report.json"
    figures = json.loads(report.read_text()) if report.exists() else {"metrics": {}}
    for metrics in (manifest["metrics"], figures["metrics"]):
        for name in _OF_ITS_TIME:
            metrics.pop(name, None)
    return {
        "weights": (directory / "adapter_model.safetensors").read_bytes(),
        "manifest": manifest,
        "report": figures,
    }


# -- in one process --------------------------------------------------------------------------------


def plan_for(adapters: Adapters, records: Sequence[Record], *names: PassName) -> Plan:
    return make_plan(records, adapters, CONFIG, frozenset(names) or None)


def stopped_at(name: PassName, step: float, how: Callable[[RunControl], None]) -> RunControl:
    """A run_control that ends its run in step `step` of the pass `name`."""
    run_control = RunControl()

    def emit(event: Event) -> None:
        if isinstance(event, StepReport) and (event.name, event.step) == (name, step):
            how(run_control)

    run_control.emit = emit
    return run_control


def interrupted(adapters: Adapters, records: Sequence[Record], name: PassName = "sft") -> None:
    with pytest.raises(Cancelled):
        run.run(plan_for(adapters, records), stopped_at(name, 3, RunControl.interrupt))


def test_what_was_done_before_is_told_again_and_used(adapters: Adapters) -> None:
    records: list[Record] = [*instructions(6), *thumbs(8, 8)]
    interrupted(adapters, records, "kto")
    found = saved_run.unfinished(adapters, records)
    assert found is not None
    assert [done.version for done in found.finished()] == ["v1"]
    events: list[Event] = []
    done: list[PassDone] = []
    run.resume(found, RunControl(emit=events.append), done.append)
    assert [(one.name, one.version) for one in done] == [("sft", "v1"), ("kto", "v2")]
    assert done[0] == found_again(adapters, "v1", done[0])
    assert [event.name for event in events if isinstance(event, PassStarted)] == ["kto"]
    assert [len(event.losses) for event in events if isinstance(event, PassResumed)] == [2]
    assert len(done[1].losses) == done[1].steps == 8


def found_again(adapters: Adapters, version: str, done: PassDone) -> PassDone:
    manifest = adapters.manifest(version)
    return PassDone(
        "sft",
        version,
        steps=manifest.metrics["steps"],
        losses=tuple(manifest.metrics["losses"]),
        seconds=manifest.metrics["seconds"],
        trained_tokens=manifest.metrics["trained_tokens"],
        metrics=done.metrics,
        held_back=manifest.held_back,
    )


def test_killed_after_its_last_version_it_has_only_to_tell_of_it(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = instructions(6)
    with monkeypatch.context() as patched:
        patched.setattr(saved_run.SavedRun, "drop", lambda self: None)
        run.run(plan_for(adapters, records), RunControl())
    found = saved_run.unfinished(adapters, records)
    assert found is not None
    assert found.under_way() is None
    done: list[PassDone] = []
    run.resume(found, RunControl(), done.append)
    assert [one.version for one in done] == ["v1"]
    assert [manifest.version for manifest in adapters.versions()] == ["v1"]
    assert saved_run.unfinished(adapters, records) is None


def test_the_exam_before_is_not_given_again(adapters: Adapters) -> None:
    records = instructions(6)
    interrupted(adapters, records)
    found = saved_run.unfinished(adapters, records)
    assert found is not None
    assert found.under_way() == ("sft", 2, 4)
    events: list[Event] = []
    run.resume(found, RunControl(emit=events.append))
    counts = {event.stage: event.total for event in events if isinstance(event, StageReport)}
    assert counts["before"] == 0
    assert counts["after"] > 0
    stages = list(dict.fromkeys(e.stage for e in events if isinstance(e, StageReport)))
    assert [stage for stage in stages if stage != "base"] == [
        "prepare",
        "before",
        "learn",
        "after",
        "save",
    ]
    (manifest,) = adapters.versions()
    assert manifest.metrics["wall_seconds"] > 0
    assert manifest.metrics["stage_counts"]["after"] == counts["after"]


def test_a_version_from_elsewhere_is_not_taken_for_its_own(adapters: Adapters) -> None:
    records = instructions(6)
    interrupted(adapters, records)
    with adapters.new_version("adapter") as (version, directory):
        folder = adapters.folder
        foreign = Manifest(
            version=version, kind="adapter", model=folder.id, revision=folder.revision
        )
        write_manifest(directory, foreign)
    found = saved_run.unfinished(adapters, records)
    assert found is not None
    assert found.finished() == []
    done: list[PassDone] = []
    run.resume(found, RunControl(), done.append)
    assert [one.version for one in done] == ["v2"]
    assert adapters.manifest("v2").run == found.plan.run != ""


def test_the_plan_comes_back_as_it_was(adapters: Adapters) -> None:
    records: list[Record] = [*instructions(6), *thumbs(4, 4), *pairs(40)]
    plan = plan_for(adapters, records)
    begun = saved_run.begin(plan)
    assert begun.folder.stat().st_mode & 0o777 == 0o700
    assert (begun.folder / "run.json").stat().st_mode & 0o777 == 0o600
    found = saved_run.unfinished(adapters, records)
    assert found == begun
    assert replace(found.plan, run="") == plan
    assert found.under_way() == ("sft", 0, 0)


@pytest.mark.parametrize(
    "how", [RunControl.cancel, lambda run_control: (run_control.cancel(), run_control.interrupt())]
)
def test_a_run_that_the_person_cancelled_is_forgotten(
    adapters: Adapters, how: Callable[[RunControl], None]
) -> None:
    records = instructions(6)
    with pytest.raises(Cancelled):
        run.run(plan_for(adapters, records), stopped_at("sft", 3, how))
    assert saved_run.unfinished(adapters, records) is None
    assert {path.name for path in adapters.dir.iterdir()} <= {"base.json", "base_replies.json"}


def test_a_run_that_ended_is_forgotten(adapters: Adapters) -> None:
    run.run(plan_for(adapters, instructions(6)), RunControl())
    assert not (adapters.dir / ".run").exists()


def test_a_new_run_takes_the_place_of_an_interrupted_one(adapters: Adapters) -> None:
    records = instructions(6)
    interrupted(adapters, records)
    events: list[Event] = []
    run.run(plan_for(adapters, records), RunControl(emit=events.append))
    assert not [event for event in events if isinstance(event, PassResumed)]
    assert saved_run.unfinished(adapters, records) is None


def test_a_run_that_learns_from_a_deleted_record_is_dropped(adapters: Adapters) -> None:
    records = instructions(6)
    interrupted(adapters, records)
    with pytest.raises(TuteeError, match="deleted or changed"):
        saved_run.unfinished(adapters, records[1:])
    assert saved_run.unfinished(adapters, records) is None
    assert not (adapters.dir / ".run").exists()


def test_a_deleted_prompt_drops_a_run_of_rl(adapters: Adapters) -> None:
    records = pairs(40)
    saved_run.begin(plan_for(adapters, records, "rl"))
    changed = [*records[:-1], records[-1].model_copy(update={"prompt": prompt("other")})]
    with pytest.raises(TuteeError, match="deleted or changed"):
        saved_run.unfinished(adapters, changed)


def test_what_was_taught_meanwhile_does_not_disturb_it(adapters: Adapters) -> None:
    records = instructions(6)
    interrupted(adapters, records)
    more = [*records, *instructions(6, "negative")]
    found = saved_run.unfinished(adapters, more)
    assert found is not None
    run.resume(found, RunControl())
    assert set(adapters.manifest("v1").records) == {record.id for record in records}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"began": 1}', b"\xff"])
def test_a_damaged_file_drops_the_run(adapters: Adapters, content: bytes) -> None:
    begun = saved_run.begin(plan_for(adapters, instructions(6)))
    (begun.folder / "run.json").write_bytes(content)
    with pytest.raises(TuteeError, match="cannot be read"):
        saved_run.unfinished(adapters, [])
    assert not begun.folder.exists()


def test_another_revision_of_the_base_drops_the_run(adapters: Adapters) -> None:
    records = instructions(6)
    saved_run.begin(plan_for(adapters, records))
    changed = Adapters(adapters.dir.parent, replace(adapters.folder, revision="another"))
    with pytest.raises(TuteeError, match="base model has changed"):
        saved_run.unfinished(changed, records)
