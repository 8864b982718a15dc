"""What a run would do: which passes are ready, on what, and what is kept out of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.adapters.registry import Adapters, Manifest, write_manifest
from core.config import Config, RewardTuning, SFTTuning, Tuning
from core.events import PassName
from core.models.folder import ModelFolder
from core.runs import plan as planning
from core.runs.plan import PassPlan, Plan
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

FOLDER = ModelFolder(Path("/nowhere"), "tiny-0", "tiny", "0")
CONFIG = Config(tuning=Tuning())


def prompt(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=text),)


def instructions(count: int, conversation: str = "") -> list[Instruction]:
    return [
        Instruction(
            prompt=prompt(f"{conversation} hello {n}"),
            completion="yes",
            conversation_id=conversation or f"c{n}",
        )
        for n in range(count)
    ]


def pairs(count: int) -> list[Preference]:
    return [
        Preference(prompt=prompt(f"hello {n}"), chosen="yes", rejected="no") for n in range(count)
    ]


def thumbs(liked: int, disliked: int) -> list[Verdict]:
    return [
        Verdict(prompt=prompt(f"hello {n}"), completion="yes", label=n < liked)
        for n in range(liked + disliked)
    ]


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "models", FOLDER)


def made(adapters: Adapters, name: str, records: Sequence[Record], **fields: Any) -> None:
    """A version that has learned `records`, and answers."""
    with adapters.new_version("reward" if name == "reward" else "adapter") as (version, directory):
        manifest = Manifest(
            version=version,
            kind="reward" if name == "reward" else "adapter",
            pass_name=name,
            model=FOLDER.id,
            revision=FOLDER.revision,
            parent=adapters.active() if name != "reward" else "base",
            records=tuple(record.id for record in records),
            **fields,
        )
        write_manifest(directory, manifest)
    if name != "reward":
        adapters.use(version)


def plan(
    adapters: Adapters,
    records: Sequence[Record],
    passes: frozenset[PassName] | None = None,
    rebuild: bool = False,
) -> Plan:
    return planning.make_plan(records, adapters, CONFIG, passes, rebuild=rebuild)


def planned(adapters: Adapters, records: Sequence[Record], name: PassName) -> PassPlan:
    return plan(adapters, records).of(name)


@pytest.mark.parametrize(
    ("records", "name", "missing"),
    [
        (instructions(3), "sft", "3 of 4 corrections or 👍"),
        (instructions(4), "sft", ""),
        ([], "kto", "no new thumbs"),
        (thumbs(4, 1), "kto", "1 of 4 👎"),
        (thumbs(0, 3), "kto", "0 of 4 👍, 3 of 4 👎"),
        (thumbs(4, 4), "kto", ""),
        (pairs(19), "dpo", "19 of 20 pairs"),
        (pairs(20), "dpo", ""),
        (pairs(19), "reward", "19 of 20 pairs"),
        (pairs(20), "reward", ""),
        (instructions(5), "rl", "5 of 20 prompts"),
        (instructions(20), "rl", "no reward model to trust yet"),
    ],
)
def test_what_is_missing_is_said_with_the_count(
    adapters: Adapters, records: list[Record], name: PassName, missing: str
) -> None:
    found = planned(adapters, records, name)
    assert found.missing == missing
    assert found.ready == (missing == "")
    assert found.wanted == found.ready


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
    assert planned(adapters, [*records, *pairs(1)], "reward").ready


def test_a_reward_model_goes_on_only_where_it_may_and_from_one_to_trust(adapters: Adapters) -> None:
    records, more = pairs(50)[:40], pairs(50)[40:]
    may = Config(tuning=Tuning(reward=RewardTuning(incremental=True)))

    def found(config: Config, *, rebuild: bool = False) -> Plan:
        return planning.make_plan([*records, *more], adapters, config, rebuild=rebuild)

    made(adapters, "reward", records, metrics={"passed": False})
    assert found(may).reward_parent == "base"
    made(adapters, "reward", records, metrics={"passed": True})
    assert found(CONFIG).reward_parent == found(may, rebuild=True).reward_parent == "base"
    assert len(found(CONFIG).reward.train) > 40 - len(found(CONFIG).reward.held_out)
    onward = found(may)
    assert onward.reward_parent == "r2"
    assert set(onward.reward.new) <= set(more)
    assert set(onward.reward.replayed) < set(records)
    assert onward.of("reward").new == len(onward.reward.new) > 0
    assert onward.of("reward").replayed == len(onward.reward.replayed) > 0


def test_a_reward_model_does_not_go_on_to_pairs_that_are_all_held_out(adapters: Adapters) -> None:
    records = pairs(60)
    may = Config(tuning=Tuning(reward=RewardTuning(incremental=True)))
    held = planning.make_plan(records, adapters, may).reward.held_out
    made(adapters, "reward", [r for r in records if r not in held], metrics={"passed": True})
    found = planning.make_plan(records, adapters, may).of("reward")
    assert (found.new, found.missing, found.wanted) == (0, "no new pairs", False)


def test_rebuilding_learns_everything_from_the_base(adapters: Adapters) -> None:
    records: list[Record] = [*instructions(5), *pairs(20), *thumbs(4, 4)]
    made(adapters, "sft", records)
    assert plan(adapters, records).of("sft").new == 0
    anew = plan(adapters, records, rebuild=True)
    assert anew.parent == "base"
    assert [found.new for found in anew.passes] == [5, 8, 20, 20, anew.of("rl").new]


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


def test_what_takes_longer_is_estimated_longer(adapters: Adapters) -> None:
    few, many = planned(adapters, pairs(20), "dpo"), planned(adapters, pairs(200), "dpo")
    assert 0 < few.seconds < many.seconds
    assert planned(adapters, [], "dpo").seconds == 0


def test_rehearsal_is_part_of_the_estimate(adapters: Adapters) -> None:
    loose = CONFIG.model_copy(update={"tuning": Tuning(sft=SFTTuning(rehearsal=0))})
    firm, freed = (
        planning.make_plan(instructions(16), adapters, config, None, rebuild=False)
        for config in (CONFIG, loose)
    )
    assert firm.of("sft").seconds > freed.of("sft").seconds > 0
