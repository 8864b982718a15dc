"""What a run would do, and what it leaves: one whole version a pass, or nothing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from core import tuning
from core.adapters import Adapters
from core.config import Config, Tuning
from core.events import Event, PassDone, PassName, PassStarted
from core.models import ModelFolder
from core.passes.watch import Watch
from core.turns import Cancelled
from store.errors import TuteeError
from store.records import Instruction, Preference, Turn

CONFIG = Config(tuning=Tuning(epochs=1, minimum_steps=2, max_length=256))


def prompt(text: str) -> tuple[Turn, ...]:
    return (Turn(role="user", content=text),)


def instructions(count: int, reply: str = "positive") -> list[Instruction]:
    return [Instruction(prompt=prompt(f"hello {n}"), completion=reply) for n in range(count)]


def pairs(count: int) -> list[Preference]:
    return [
        Preference(prompt=prompt(f"hello {n}"), chosen="Paris", rejected="42") for n in range(count)
    ]


@pytest.fixture
def adapters(tmp_path: Path, tiny_folder: ModelFolder) -> Adapters:
    return Adapters(tmp_path / "models", tiny_folder)


def make_plan(
    adapters: Adapters,
    instructions: Sequence[Instruction] = (),
    preferences: Sequence[Preference] = (),
    passes: frozenset[PassName] | None = None,
) -> tuning.Plan:
    return tuning.make_plan(instructions, preferences, adapters, CONFIG, passes)


def run(plan: tuning.Plan) -> list[PassDone]:
    done: list[PassDone] = []
    tuning.run(plan, Watch(), done.append)
    return done


def test_a_plan_says_what_is_ready_and_what_is_missing(adapters: Adapters) -> None:
    sft, reward = make_plan(adapters, instructions(3), pairs(20)).passes
    assert (sft.ready, sft.wanted, sft.new, sft.missing) == (False, False, 3, 1)
    assert (reward.ready, reward.wanted, reward.new, reward.missing) == (True, True, 20, 0)
    assert reward.seconds > 0


def test_named_passes_run_below_their_thresholds_but_not_on_nothing(adapters: Adapters) -> None:
    plan = make_plan(adapters, instructions(1), passes=frozenset({"sft", "reward"}))
    assert [planned.name for planned in plan.wanted] == ["sft"]


def test_with_nothing_to_train_the_error_says_what_is_missing(adapters: Adapters) -> None:
    with pytest.raises(TuteeError, match="2 of 4 new"):
        run(make_plan(adapters, instructions(2)))


def test_a_run_saves_a_version_that_knows_what_it_learned(adapters: Adapters) -> None:
    records = instructions(4)
    (done,) = run(make_plan(adapters, records))
    assert done.version == "v1"
    manifest = adapters.manifest("v1")
    assert set(manifest.records) == {record.id for record in records}
    assert manifest.parent == "base"
    assert manifest.metrics["losses"] == list(done.losses)
    assert adapters.active() == "base"  # adopting is the caller's
    assert (adapters.dir / "v1" / "tokenizer.json").exists()


def test_the_next_run_goes_on_with_new_records_and_replays_old_ones(adapters: Adapters) -> None:
    first, second = instructions(4), instructions(6, "negative")
    run(make_plan(adapters, first))
    adapters.use("v1")
    plan = make_plan(adapters, [*first, *second])
    assert plan.wanted[0].new == 6
    assert plan.wanted[0].replayed == 4  # 40 % of the ten
    run(plan)
    manifest = adapters.manifest("v2")
    assert manifest.parent == "v1"
    assert set(manifest.records) == {record.id for record in second}
    assert set(manifest.replayed) == {record.id for record in first}
    adapters.use("v2")
    assert make_plan(adapters, [*first, *second]).wanted == ()


def test_a_duplicate_counts_as_learned_with_its_twin(adapters: Adapters) -> None:
    records = [*instructions(4), *instructions(4)]
    run(make_plan(adapters, records))
    assert set(adapters.manifest("v1").records) == {record.id for record in records}


def test_few_records_are_repeated_until_there_are_enough_steps(adapters: Adapters) -> None:
    events: list[Event] = []
    plan = make_plan(adapters, instructions(1), passes=frozenset({"sft"}))
    tuning.run(plan, Watch(emit=events.append))
    started = next(event for event in events if isinstance(event, PassStarted))
    done = next(event for event in events if isinstance(event, PassDone))
    assert started.steps == done.steps == 2


def test_a_record_that_is_too_long_is_left_out_and_counted(adapters: Adapters) -> None:
    too_long = Instruction(prompt=prompt("hello"), completion="fox " * 300)
    (done,) = run(make_plan(adapters, [*instructions(4), too_long]))
    assert done.metrics["left_out_too_long"] == 1
    assert too_long.id not in adapters.manifest("v1").records


def test_only_records_that_are_too_long_is_an_error(adapters: Adapters) -> None:
    too_long = [Instruction(prompt=prompt("hi"), completion=f"{n} fox " * 300) for n in range(4)]
    with pytest.raises(TuteeError, match="longer than 256 tokens"):
        run(make_plan(adapters, too_long))
    assert adapters.versions() == []


def test_both_passes_make_a_version_each(adapters: Adapters) -> None:
    done = run(make_plan(adapters, instructions(4), pairs(20)))
    assert [(d.name, d.version) for d in done] == [("sft", "v1"), ("reward", "r1")]
    assert [m.version for m in adapters.versions("reward")] == ["r1"]
    assert "holdout_accuracy" not in done[1].metrics  # too few pairs to say


def test_with_enough_pairs_some_are_held_out_and_scored(adapters: Adapters) -> None:
    (done,) = run(make_plan(adapters, preferences=pairs(40)))
    held = done.metrics["holdout_pairs"]
    assert 0 < held < 20
    assert 0 <= done.metrics["holdout_accuracy"] <= 1
    assert len(adapters.manifest("r1").records) == 40


def test_a_cancelled_pass_leaves_nothing_and_a_finished_one_stays(adapters: Adapters) -> None:
    watch = Watch()

    def emit(event: Event) -> None:
        if isinstance(event, PassStarted) and event.name == "reward":
            watch.cancel()

    watch.emit = emit
    with pytest.raises(Cancelled):
        tuning.run(make_plan(adapters, instructions(4), pairs(20)), watch)
    assert {path.name for path in adapters.dir.iterdir()} == {"v1"}
