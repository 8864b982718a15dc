"""A plan of all passes, and its recipe."""

from pathlib import Path

import pytest

from core.adapters.registry import Adapters
from core.config import Config, RLTuning, Tuning
from core.models.folder import ModelFolder
from core.recipes import export
from core.runs.plan import PASSES, Plan, make_plan
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

CONFIG = Config(tuning=Tuning(max_length=512, rank=4, alpha=8, rl=RLTuning(steps=2)))


def asked(number: int) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=f"hello {number}"),)


def records(count: int) -> list[Record]:
    return [
        record
        for n in range(count)
        for record in (
            Instruction(prompt=asked(n), completion="positive"),
            Preference(prompt=asked(n), chosen="yes yes", rejected="no 42"),
            Verdict(prompt=asked(n), completion="fox", label=n % 3 == 0),
        )
    ]


@pytest.fixture
def plan(tiny_folder: ModelFolder, tmp_path: Path) -> Plan:
    adapters = Adapters(tmp_path / "models", tiny_folder)
    return make_plan(records(12), adapters, CONFIG, frozenset(PASSES), rebuild=True)


@pytest.fixture
def recipe(plan: Plan, tmp_path: Path) -> Path:
    return export.write(plan, tmp_path / "recipe").path
