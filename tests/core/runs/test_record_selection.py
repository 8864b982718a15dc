"""What is learned, what only measures, and that neither becomes the other."""

from pathlib import Path

import pytest

from core.adapters.registry import Adapters
from store.records import Record
from tests.core.runs.plans import FOLDER, instructions, made, pairs, plan, thumbs


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "models", FOLDER)


def test_nothing_is_held_out_of_a_few(adapters: Adapters) -> None:
    found = plan(adapters, instructions(31)).sft
    assert len(found.new) == 31
    assert found.held_out == ()


def test_a_sticky_part_is_held_out_of_many(adapters: Adapters) -> None:
    records = instructions(60)
    found = plan(adapters, records).sft
    assert 0 < len(found.held_out) < 24
    assert {*found.new, *found.held_out} == set(records)
    later = plan(adapters, [*records, *instructions(30, "later")]).sft
    assert set(found.held_out) <= set(later.held_out)
    assert not set(found.held_out) & set(later.new)


def test_one_long_conversation_is_learned_and_not_held_out(adapters: Adapters) -> None:
    for name in "abcdefgh":  # whichever side its name falls on
        found = plan(adapters, instructions(40, conversation=name)).sft
        assert len(found.new) == 40


def test_a_long_conversation_beside_others_leaves_them_held_out(adapters: Adapters) -> None:
    records = instructions(60)
    held = set(plan(adapters, records).sft.held_out)
    for name in "abcdefgh":
        assert set(plan(adapters, [*records, *instructions(90, name)]).sft.held_out) == held


def test_what_was_learned_before_there_were_many_does_not_measure(adapters: Adapters) -> None:
    records = instructions(60)
    held = plan(adapters, records).sft.held_out
    made(adapters, "sft", held[:2])
    assert set(plan(adapters, records).sft.held_out) == set(held[2:])


def test_prompts_of_rl_are_each_there_once_and_keep_to_their_side(adapters: Adapters) -> None:
    records: list[Record] = [*pairs(60), *thumbs(30, 30)]
    found = plan(adapters, records).rl
    assert len(found.train) + len(found.held_out) == 60
    assert not set(found.train) & set(found.held_out)
    assert found.held_out
