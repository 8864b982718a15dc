"""What the user is told of a plan before it runs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.adapters.registry import Adapters
from core.config import Config, Tuning
from core.runs.plan import make_plan
from core.runs.plan_notes import plan_notes
from store.records import Record
from tests.core.runs.plans import FOLDER, instructions, made, pairs

RECORDS = instructions(6)


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "models", FOLDER)


def notes(
    adapters: Adapters, records: Sequence[Record], rebuild: bool = False, **tuning: Any
) -> str:
    config = Config(tuning=Tuning(**tuning))
    return " ".join(plan_notes(make_plan(records, adapters, config, rebuild=rebuild)))


def held_back(
    adapters: Adapters, records: Sequence[Record], name: str = "sft", **fields: Any
) -> None:
    """A version that was made from the base and is not active."""
    fields = {"settings": Tuning().model_dump(), "held_back": ("it got worse",), **fields}
    made(adapters, name, records, **fields)
    adapters.use("base")


def test_usually_there_is_nothing_to_say(adapters: Adapters) -> None:
    assert notes(adapters, RECORDS) == notes(adapters, []) == ""
    made(adapters, "sft", RECORDS[:2], settings=Tuning().model_dump())
    assert notes(adapters, RECORDS) == ""


def test_a_continued_adapter_keeps_its_rank(adapters: Adapters) -> None:
    made(adapters, "sft", RECORDS[:1])
    saved = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0}
    (adapters.dir / "v1" / "adapter_config.json").write_text(json.dumps(saved), encoding="utf-8")
    assert notes(adapters, RECORDS) == ""
    told = notes(adapters, RECORDS, rank=64, alpha=128)
    assert "Continuing v1 keeps its rank, alpha and dropout (16, 32, 0.0)." in told
    assert "(64, 128, 0.0) apply when you rebuild from the base" in told
    assert notes(adapters, RECORDS, rebuild=True, rank=64) == ""
    assert notes(adapters, RECORDS[:1], rank=64) == "", "nothing will run"


def test_a_run_that_would_repeat_one_that_was_held_back_is_told(adapters: Adapters) -> None:
    held_back(adapters, RECORDS)
    assert "SFT would only make v1 again, which was held back" in notes(adapters, RECORDS)
    assert notes(adapters, [*RECORDS, *instructions(1, "more")]) == ""
    assert notes(adapters, RECORDS[:5]) == ""
    assert notes(adapters, RECORDS, epochs=7) == ""


@pytest.mark.parametrize(("left_out", "told"), [(0, False), (1, True), (2, False)])
def test_what_was_too_long_then_is_too_long_now(
    adapters: Adapters, left_out: int, told: bool
) -> None:
    held_back(adapters, RECORDS[1:], metrics={"left_out_too_long": left_out})
    assert bool(notes(adapters, RECORDS)) == told


def test_a_version_that_passed_its_gate_is_no_warning(adapters: Adapters) -> None:
    held_back(adapters, RECORDS, held_back=())
    assert notes(adapters, RECORDS) == ""


def test_a_pass_after_one_that_may_pass_is_not_judged(adapters: Adapters) -> None:
    choices = pairs(20)
    held_back(adapters, choices, "dpo")
    assert "DPO would only make v1 again" in notes(adapters, choices)
    assert notes(adapters, [*RECORDS, *choices]) == ""
    held_back(adapters, RECORDS)
    told = notes(adapters, [*RECORDS, *choices])
    assert "SFT would only make v2 again" in told
    assert "DPO would only make v1 again" in told
