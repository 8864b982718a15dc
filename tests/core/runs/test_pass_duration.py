"""A longer pass is estimated to take longer."""

from pathlib import Path

import pytest

from core.adapters.manifest import Manifest, write_manifest
from core.adapters.registry import Adapters
from core.evaluation import report
from core.runs.plan import make_plan
from core.training import base_replies
from core.training.exam import Answer, Figures
from tests.core.runs.plans import CONFIG, FOLDER, instructions, pairs, planned


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "models", FOLDER)


def test_what_takes_longer_is_estimated_longer(adapters: Adapters) -> None:
    few, many = planned(adapters, pairs(20), "dpo"), planned(adapters, pairs(200), "dpo")
    assert 0 < few.seconds < many.seconds
    assert planned(adapters, [], "dpo").seconds == 0


def test_the_estimate_is_learned_from_earlier_runs(adapters: Adapters) -> None:
    first = planned(adapters, instructions(16), "sft").stages
    assert set(first) == {"prepare", "base", "before", "learn", "after", "save"}
    with adapters.new_version("adapter") as (version, directory):
        metrics = {
            "tokens": 1000,
            "seconds": 100.0,
            "steps": 20,
            "planned_steps": 40,
            "stage_seconds": {"prepare": 3.0, "after": 60.0, "save": 0.5, "base": 20.0},
            "stage_counts": {"after": 30, "base": 100},
        }
        manifest = Manifest(
            version=version,
            kind="adapter",
            model=FOLDER.id,
            revision=FOLDER.revision,
            parent="base",
            pass_name="sft",
            metrics=metrics,
        )
        write_manifest(directory, manifest)
    second = planned(adapters, instructions(16), "sft").stages
    assert (second["prepare"], second["save"]) == (3.0, 0.5)
    questions = first["after"] / 0.3
    assert second["after"] == pytest.approx(2.0 * questions)
    assert second["base"] == pytest.approx(first["base"])
    assert second["learn"] == pytest.approx(first["learn"] * 30 * 0.5)


def test_what_the_base_said_and_answered_is_not_waited_for_again(adapters: Adapters) -> None:
    first = planned(adapters, instructions(16), "sft").stages
    adapters.dir.mkdir(parents=True)
    (adapters.dir / base_replies.FILE).write_text("{}")
    known = Figures(probes=(Answer(id="a", prompt="?", reply="!", ended=True),))
    report.write_base_figures(adapters.dir, known)
    second = planned(adapters, instructions(16), "sft").stages
    assert "base" not in second
    assert second["before"] < first["before"] / 3


def test_rehearsal_is_part_of_the_estimate(adapters: Adapters) -> None:
    loose = CONFIG.model_copy(update={"tuning": CONFIG.tuning.model_copy(update={"rehearsal": 0})})
    firm, freed = (
        make_plan(instructions(16), adapters, config, None, rebuild=False)
        for config in (CONFIG, loose)
    )
    assert firm.of("sft").seconds > freed.of("sft").seconds > 0
