"""A longer pass is estimated to take longer."""

from pathlib import Path

import pytest

from core.adapters.registry import Adapters
from core.runs.plan import make_plan
from tests.core.runs.plans import CONFIG, FOLDER, instructions, pairs, planned


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "models", FOLDER)


def test_what_takes_longer_is_estimated_longer(adapters: Adapters) -> None:
    few, many = planned(adapters, pairs(20), "dpo"), planned(adapters, pairs(200), "dpo")
    assert 0 < few.seconds < many.seconds
    assert planned(adapters, [], "dpo").seconds == 0


def test_rehearsal_is_part_of_the_estimate(adapters: Adapters) -> None:
    loose = CONFIG.model_copy(update={"tuning": CONFIG.tuning.model_copy(update={"rehearsal": 0})})
    firm, freed = (
        make_plan(instructions(16), adapters, config, None, rebuild=False)
        for config in (CONFIG, loose)
    )
    assert firm.of("sft").seconds > freed.of("sft").seconds > 0
