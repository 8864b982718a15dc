"""What a run would do: which passes are ready, on what, and what is kept out of them."""

from pathlib import Path

import pytest

from core.adapters.registry import Adapters
from core.config import Config, RewardTuning, Tuning
from core.events import PassName
from core.runs.plan import Plan, make_plan
from store.records import Record
from tests.core.runs.plans import CONFIG, FOLDER, instructions, made, pairs, plan, planned, thumbs


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "models", FOLDER)


@pytest.mark.parametrize(
    ("records", "name", "missing"),
    [
        (instructions(3), "sft", "1 more correction or 👍"),
        (instructions(4), "sft", ""),
        ([], "kto", "no new thumbs"),
        (thumbs(4, 1), "kto", "3 more 👎"),
        (thumbs(0, 3), "kto", "4 more 👍, 1 more 👎"),
        (thumbs(4, 4), "kto", ""),
        (pairs(19), "dpo", "1 more correction or pick"),
        (pairs(20), "dpo", ""),
        (pairs(19), "reward", "1 more correction or pick"),
        (pairs(20), "reward", ""),
        (instructions(5), "rl", "15 more prompts, 20 more pairs for a reward model"),
        ([*instructions(20), *pairs(19)], "rl", "1 more pair for a reward model"),
        (pairs(20), "rl", "train a reward model first"),
    ],
)
def test_what_is_missing_is_said_with_the_count(
    adapters: Adapters, records: list[Record], name: PassName, missing: str
) -> None:
    found = planned(adapters, records, name)
    assert found.missing == missing
    assert found.ready == (missing == "")
    assert found.wanted == found.ready


@pytest.mark.parametrize(
    ("right", "shorter", "missing"),
    [
        (14, 0.5, "14 of 20 pairs right; from 15 on it is more than chance"),
        (16, 0.8, "16 of 20 pairs right; it must beat “shorter wins”, 16 of 20"),
        (16, 0.175, "16 of 20 pairs right; it must beat “longer wins”, 16.5 of 20"),
    ],
)
def test_rl_says_what_its_reward_model_lacks(
    adapters: Adapters, right: int, shorter: float, missing: str
) -> None:
    metrics = {
        "holdout_pairs": 20,
        "holdout_groups": 20,
        "holdout_independent": 20.0,
        "holdout_accuracy": right / 20,
        "shorter_wins": shorter,
        "longer_wins": 1 - shorter,
        "passed": False,
    }
    made(adapters, "reward", pairs(20), metrics=metrics)
    found = planned(adapters, instructions(20), "rl")
    assert found.missing == f"the reward model ranks {missing}"
    made(adapters, "reward", pairs(20), metrics={"train_accuracy": 1.0})
    found = planned(adapters, instructions(20), "rl")
    assert found.missing == "the reward model had too few pairs to be measured"


def test_rl_is_ready_with_a_reward_model_that_passed_but_never_runs_unasked(
    adapters: Adapters,
) -> None:
    made(adapters, "reward", pairs(20), metrics={"passed": False})
    assert not planned(adapters, instructions(20), "rl").ready
    made(adapters, "reward", pairs(20), metrics={"passed": True})
    found = planned(adapters, instructions(20), "rl")
    assert found.ready
    assert not found.wanted
    assert plan(adapters, instructions(20), frozenset({"rl"})).of("rl").wanted


def test_named_passes_run_below_their_thresholds_but_not_on_nothing(adapters: Adapters) -> None:
    asked = plan(adapters, instructions(1), frozenset({"sft", "reward", "kto"}))
    assert [found.name for found in asked.wanted] == ["sft"]


def test_a_pass_is_chosen_and_left_as_by_name(adapters: Adapters) -> None:
    records = instructions(5)
    first = plan(adapters, records)
    assert first.toggled("sft") == plan(adapters, records, frozenset())
    assert first.toggled("sft").toggled("sft") == first
    assert first.toggled("rl") == plan(adapters, records, frozenset({"sft", "rl"}))
    assert first.toggled("dpo") == first, "it has nothing to learn from"


def test_what_was_learned_is_replayed_and_not_new(adapters: Adapters) -> None:
    records = instructions(10)
    made(adapters, "sft", records[:4])
    found = plan(adapters, records)
    assert found.sft.new == tuple(records[4:])
    assert set(found.sft.replayed) == set(records[:4])
    assert found.parent == "v1"


def test_pairs_that_dpo_learned_are_still_the_reward_models(adapters: Adapters) -> None:
    records = pairs(20)
    made(adapters, "dpo", records)
    found = plan(adapters, records)
    assert found.of("dpo").missing == "no new pairs"
    assert found.of("reward").wanted


def test_the_same_pairs_make_no_second_reward_model(adapters: Adapters) -> None:
    records = pairs(20)
    made(adapters, "reward", records)
    assert planned(adapters, records, "reward").missing == "no new pairs"
    more = pairs(25)[20:]
    assert planned(adapters, [*records, *more[:4]], "reward").missing == "1 more new pair"
    assert planned(adapters, [*records, *more], "reward").ready


def test_the_more_pairs_the_more_new_ones_make_another_reward_model(adapters: Adapters) -> None:
    records = pairs(88)
    made(adapters, "reward", records[:80])
    assert planned(adapters, records[:87], "reward").missing == "1 more new pair"
    assert planned(adapters, records, "reward").ready


def test_pairs_that_were_too_long_do_not_count_as_new(adapters: Adapters) -> None:
    records = pairs(30)
    made(adapters, "reward", records[:24], metrics={"left_out_too_long": 4})
    assert planned(adapters, records, "reward").missing == "3 more new pairs"


def test_a_reward_model_goes_on_only_where_it_may_and_from_one_to_trust(adapters: Adapters) -> None:
    records, more = pairs(140)[:110], pairs(140)[110:]
    may = Config(tuning=Tuning(reward=RewardTuning(incremental=True)))

    def found(config: Config, *, rebuild: bool = False) -> Plan:
        return make_plan([*records, *more], adapters, config, rebuild=rebuild)

    made(adapters, "reward", records, metrics={"passed": False})
    assert found(may).reward_parent == "base"
    made(adapters, "reward", records, metrics={"passed": True})
    assert found(CONFIG).reward_parent == found(may, rebuild=True).reward_parent == "base"
    assert len(found(CONFIG).reward.train) > 110 - len(found(CONFIG).reward.held_out)
    assert make_plan(records[:90], adapters, may).reward_parent == "base", "too few"
    onward = found(may)
    assert onward.reward_parent == "r2"
    assert set(onward.reward.new) <= set(more)
    assert set(onward.reward.replayed) < set(records)
    assert onward.of("reward").new == len(onward.reward.new) > 0
    assert onward.of("reward").replayed == len(onward.reward.replayed) > 0


def test_a_reward_model_does_not_go_on_to_pairs_that_are_all_held_out(adapters: Adapters) -> None:
    records = pairs(120)
    may = Config(tuning=Tuning(reward=RewardTuning(incremental=True)))
    held = make_plan(records, adapters, may).reward.held_out
    made(adapters, "reward", [r for r in records if r not in held], metrics={"passed": True})
    found = make_plan(records, adapters, may).of("reward")
    assert (found.new, found.missing, found.wanted) == (0, "no new pairs", False)


def test_rebuilding_learns_everything_from_the_base(adapters: Adapters) -> None:
    records: list[Record] = [*instructions(5), *pairs(20), *thumbs(4, 4)]
    made(adapters, "sft", records)
    assert plan(adapters, records).of("sft").new == 0
    anew = plan(adapters, records, rebuild=True)
    assert anew.parent == "base"
    assert [found.new for found in anew.passes] == [5, 8, 20, 20, anew.of("rl").new]
