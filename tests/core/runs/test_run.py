"""What a run would do, and what it leaves: one whole version a pass, or nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.adapters.registry import Adapters
from core.config import Config, PreferenceTuning, RewardTuning, SFTTuning, Tuning
from core.evaluation import report
from core.events import (
    Event,
    MaskProof,
    PassDone,
    PassName,
    PassSkipped,
    PassStarted,
    StepReport,
)
from core.models.folder import ModelFolder
from core.runs.plan import Plan, make_plan
from core.runs.run import run
from core.runs.samples import RunSamples
from core.runtime.scheduler import Cancelled
from core.training import kto
from core.training.exam import TAUGHT_REPLIES
from core.training.run_control import RunControl
from data import starter
from store.errors import TuteeError
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

BOTH: frozenset[PassName] = frozenset({"sft", "reward"})
REWARD: frozenset[PassName] = frozenset({"reward"})
CONFIG = Config(
    tuning=Tuning(
        epochs=1,
        sft=SFTTuning(minimum_steps=2),
        preference=PreferenceTuning(minimum_steps=2),
        max_length=256,
    )
)


def prompt(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=text),)


def instructions(count: int, reply: str = "positive") -> list[Instruction]:
    return [Instruction(prompt=prompt(f"hello {n}"), completion=reply) for n in range(count)]


def pairs(count: int) -> list[Preference]:
    return [
        Preference(prompt=prompt(f"hello {n}"), chosen="Paris", rejected="42") for n in range(count)
    ]


def thumbs(liked: int, disliked: int) -> list[Verdict]:
    return [
        Verdict(prompt=prompt(f"hello {n}"), completion=f"Paris {n}", label=n < liked)
        for n in range(liked + disliked)
    ]


@pytest.fixture
def adapters(tmp_path: Path, tiny_folder: ModelFolder) -> Adapters:
    return Adapters(tmp_path / "models", tiny_folder)


def plan_for(
    adapters: Adapters, records: Sequence[Record], passes: frozenset[PassName] | None = None
) -> Plan:
    return make_plan(records, adapters, CONFIG, passes)


def versions_of(plan: Plan) -> list[PassDone]:
    done: list[PassDone] = []
    run(plan, RunControl(), done.append)
    return done


def test_a_run_saves_a_version_that_knows_what_it_learned(adapters: Adapters) -> None:
    records = instructions(4)
    (done,) = versions_of(plan_for(adapters, records))
    assert done.version == "v1"
    manifest = adapters.manifest("v1")
    assert set(manifest.records) == {record.id for record in records}
    assert manifest.parent == "base"
    assert manifest.metrics["losses"] == list(done.losses)
    assert adapters.active() == "base"  # activating is the caller's
    assert (adapters.dir / "v1" / "tokenizer.json").exists()


def test_the_next_run_goes_on_with_new_records_and_replays_old_ones(adapters: Adapters) -> None:
    first, second = instructions(4), instructions(6, "negative")
    versions_of(plan_for(adapters, first))
    adapters.use("v1")
    plan = plan_for(adapters, [*first, *second])
    assert plan.wanted[0].new == 6
    assert plan.wanted[0].replayed == 4  # 40 % of the ten
    versions_of(plan)
    manifest = adapters.manifest("v2")
    assert manifest.parent == "v1"
    assert set(manifest.records) == {record.id for record in second}
    assert set(manifest.replayed) == {record.id for record in first}
    adapters.use("v2")
    assert plan_for(adapters, [*first, *second]).wanted == ()


def test_a_continued_version_tells_the_rank_it_has(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[int] = []
    monkeypatch.setattr(
        "core.runs.passes.require_memory", lambda *given: checked.append(given[2].rank)
    )
    versions_of(plan_for(adapters, instructions(4)))
    adapters.use("v1")
    shape = {"rank": 64, "alpha": 128, "dropout": 0.1}
    wide = Config(tuning=CONFIG.tuning.model_copy(update=shape))
    records = [*instructions(4), *instructions(6, "negative")]
    versions_of(make_plan(records, adapters, wide))
    versions_of(make_plan(records, adapters, wide, rebuild=True))
    told = [adapters.manifest(name).settings for name in ("v1", "v2", "v3")]
    assert [(s["rank"], s["alpha"], s["dropout"]) for s in told] == [
        (16, 32, 0.0),
        (16, 32, 0.0),
        (64, 128, 0.1),
    ]
    assert checked == [16, 16, 64]


def test_a_run_on_nothing_says_what_is_missing(adapters: Adapters) -> None:
    with pytest.raises(TuteeError, match="nothing to train") as caught:
        versions_of(plan_for(adapters, instructions(2)))
    assert "2 more corrections" in str(caught.value.hint)


def test_a_run_on_what_is_learned_says_since_when(adapters: Adapters) -> None:
    records = instructions(4)
    versions_of(plan_for(adapters, records))
    adapters.use("v1")
    with pytest.raises(TuteeError, match="too little new to train since v1"):
        versions_of(plan_for(adapters, records))


def test_every_adapter_has_a_report_of_before_and_after(adapters: Adapters) -> None:
    (done,) = versions_of(plan_for(adapters, instructions(4)))
    found = report.read(adapters.dir / "v1")
    assert (found.version, found.parent, found.pass_name) == ("v1", "base", "sft")
    assert {probe.language for probe in found.after.probes} == {"en"}  # as it is taught
    assert [a.prompt for a in found.after.taught] == [f"hello {n}" for n in (3, 2, 1, 0)]
    assert (done.metrics["taught_asked"], found.before.drift) == (4, 0)
    assert found.after.drift
    assert found.base is not None
    assert found.base.probes == found.before.probes
    assert found.held_back == done.held_back == adapters.manifest("v1").held_back


def test_what_the_parent_answered_is_not_asked_again(adapters: Adapters) -> None:
    versions_of(plan_for(adapters, instructions(4)))
    first = report.read(adapters.dir / "v1")
    (one, *others), base = first.after.drifts, report.base_figures(adapters.dir)
    known = (one.model_copy(update={"nats": 123.0}), *others)
    kept = first.after.model_copy(update={"drifts": known})
    report.write(adapters.dir / "v1", first.model_copy(update={"after": kept}))
    adapters.use("v1")
    versions_of(plan_for(adapters, [*instructions(4), *instructions(4, "negative")]))
    second = report.read(adapters.dir / "v2")
    assert second.before.drifts[0].nats == 123.0
    assert second.before.probes == first.after.probes
    assert base is not None
    assert second.base is not None
    assert second.base.probes == base.probes


def test_the_reply_that_was_corrected_is_the_one_before(adapters: Adapters) -> None:
    (first, *others), original = instructions(4), "a helpful answer"
    pair = Preference(act=first.act, prompt=first.prompt, chosen="positive", rejected=original)
    versions_of(plan_for(adapters, [first, pair, *others], frozenset({"sft"})))
    before = {a.prompt: a.reply for a in report.read(adapters.dir / "v1").before.taught}
    assert before["hello 0"] == original
    assert original not in (before["hello 1"], before["hello 2"])
    kept = report.base_figures(adapters.dir)
    assert kept is not None
    asked = {answer.prompt for answer in kept.taught}
    assert asked == {"hello 1", "hello 2", "hello 3"}, "the base did not say the other one"


def test_general_questions_that_were_taught_are_not_asked(adapters: Adapters) -> None:
    probe, gate = starter.probes()[0].prompt, starter.gate_prompts()[0].prompt
    records = [
        Instruction(prompt=prompt(f" {text.upper()}"), completion="x") for text in (probe, gate)
    ]
    exam = RunSamples(plan_for(adapters, records)).exam
    assert {probe, gate}.isdisjoint(q.text for q in (*exam.probes, *exam.general))
    assert {q.language for q in (*exam.probes, *exam.general)} == {"en"}
    assert {text.language for text in exam.texts} == {"en"}


def test_of_many_taught_prompts_a_sample_is_asked_the_newest_first(adapters: Adapters) -> None:
    asked = [q.text for q in RunSamples(plan_for(adapters, instructions(30))).exam.taught]
    assert len(asked) == TAUGHT_REPLIES
    assert asked == sorted(asked, key=lambda text: -int(text.removeprefix("hello ")))


def test_a_run_without_sft_asks_nothing_as_taught(adapters: Adapters) -> None:
    plan = plan_for(adapters, [*instructions(4), *pairs(20)], frozenset({"dpo"}))
    assert RunSamples(plan).exam.taught == ()


def test_thumbs_and_pairs_make_a_version_each_on_top_of_the_one_before(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.save_version.reasons_to_hold_back", lambda *_: ())
    records: list[Record] = [*instructions(4), *thumbs(4, 4), *pairs(20)]
    done = versions_of(plan_for(adapters, records))
    assert [(d.name, d.version) for d in done] == [
        ("sft", "v1"),
        ("kto", "v2"),
        ("dpo", "v3"),
        ("reward", "r1"),
    ]
    assert [m.parent for m in adapters.versions()] == ["base", "v1", "v2"]
    assert adapters.learned("v3") == {record.id for record in records}
    adapters.use("v3")
    assert plan_for(adapters, records).wanted == ()


def test_the_next_pass_does_not_go_on_from_a_version_that_was_held_back(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.save_version.reasons_to_hold_back", lambda *_: ("it got worse",))
    done = versions_of(plan_for(adapters, [*instructions(4), *thumbs(4, 4)]))
    assert [d.held_back for d in done] == [("it got worse",)] * 2
    assert not any(d.activatable for d in done)
    assert [m.parent for m in adapters.versions()] == ["base", "base"]


def test_a_harmful_reply_weighs_more_and_is_counted(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = thumbs(4, 4)
    given[5] = given[5].model_copy(update={"reasons": ("wrong", "hateful")})
    given[6] = given[6].model_copy(update={"reasons": ("wrong",)})
    trained: list[kto.LabeledReply] = []
    build = kto.build

    def spied(*arguments: Any) -> Any:
        trained.extend(arguments[3])
        return build(*arguments)

    monkeypatch.setattr(kto, "build", spied)
    (done,) = versions_of(plan_for(adapters, given, frozenset({"kto"})))
    assert [reply.weight for reply in trained] == [1, 1, 1, 1, 1, kto.HARM_WEIGHT, 1, 1]
    counts = {name: done.metrics[name] for name in ("liked", "disliked", "harmful", "reasons")}
    assert counts == {
        "liked": 4,
        "disliked": 4,
        "harmful": 1,
        "reasons": {"wrong": 2, "hateful": 1},
    }


@pytest.mark.parametrize("batch_size", [1, 3])
def test_kto_announces_the_steps_it_makes(adapters: Adapters, batch_size: int) -> None:
    tuning = CONFIG.tuning.model_copy(update={"batch_size": batch_size})
    config = CONFIG.model_copy(update={"tuning": tuning})
    events: list[Event] = []
    plan = make_plan(thumbs(4, 4), adapters, config, frozenset({"kto"}))
    run(plan, RunControl(emit=events.append))
    started = next(event for event in events if isinstance(event, PassStarted))
    done = next(event for event in events if isinstance(event, PassDone))
    assert started.steps == done.steps == {1: 4, 3: 3}[batch_size]


def test_thumbs_that_all_point_the_same_way_are_an_error(adapters: Adapters) -> None:
    with pytest.raises(TuteeError, match="same way"):
        versions_of(plan_for(adapters, thumbs(5, 0), frozenset({"kto"})))
    assert adapters.versions() == []


def test_rl_without_a_reward_model_is_skipped_with_the_reason(adapters: Adapters) -> None:
    events: list[Event] = []
    plan = plan_for(adapters, instructions(4), frozenset({"rl"}))
    run(plan, RunControl(emit=events.append))
    (skipped,) = [event for event in events if isinstance(event, PassSkipped)]
    assert "there is none yet" in skipped.why
    assert adapters.versions() == []


def test_a_duplicate_counts_as_learned_with_its_twin(adapters: Adapters) -> None:
    records: list[Record] = [*instructions(4), *instructions(4)]
    versions_of(plan_for(adapters, records))
    assert set(adapters.manifest("v1").records) == {record.id for record in records}


def test_few_records_are_repeated_until_there_are_enough_steps(adapters: Adapters) -> None:
    events: list[Event] = []
    plan = plan_for(adapters, instructions(1), passes=frozenset({"sft"}))
    run(plan, RunControl(emit=events.append))
    started = next(event for event in events if isinstance(event, PassStarted))
    done = next(event for event in events if isinstance(event, PassDone))
    assert started.steps == done.steps == 2


def test_a_record_that_is_too_long_is_left_out_and_counted(adapters: Adapters) -> None:
    too_long = Instruction(prompt=prompt("hello"), completion="fox " * 300)
    (done,) = versions_of(plan_for(adapters, [*instructions(4), too_long]))
    assert done.metrics["left_out_too_long"] == 1
    assert too_long.id not in adapters.manifest("v1").records


def test_only_records_that_are_too_long_is_an_error(adapters: Adapters) -> None:
    too_long = [Instruction(prompt=prompt("hi"), completion=f"{n} fox " * 300) for n in range(4)]
    with pytest.raises(TuteeError, match="longer than 256 tokens"):
        versions_of(plan_for(adapters, too_long))
    assert adapters.versions() == []


def test_both_passes_make_a_version_each(adapters: Adapters) -> None:
    done = versions_of(plan_for(adapters, [*instructions(4), *pairs(20)], BOTH))
    assert [(d.name, d.version) for d in done] == [("sft", "v1"), ("reward", "r1")]
    assert [m.version for m in adapters.versions("reward")] == ["r1"]
    figures = done[1].metrics
    assert (figures["holdout_pairs"], figures["holdout_groups"], figures["folds"]) == (20, 20, 5)


def test_with_few_pairs_the_held_out_ones_are_measured_beside_the_others(
    adapters: Adapters,
) -> None:
    plan = plan_for(adapters, pairs(40), REWARD)
    events: list[Event] = []
    run(plan, RunControl(emit=events.append))
    made = adapters.manifest("r1")
    assert len(made.records) + len(made.measured) == made.metrics["holdout_pairs"] == 40
    assert len(made.measured) == len(plan.reward.held_out) > 0
    started = next(event for event in events if isinstance(event, PassStarted))
    reports = [event for event in events if isinstance(event, StepReport)]
    assert {report.steps for report in reports} == {started.steps}
    steps = [report.step for report in reports]
    assert steps == sorted(steps)
    assert steps[-1] == started.steps >= made.metrics["steps"] > len(made.metrics["losses"])


def test_with_enough_pairs_only_the_held_out_ones_are_measured(adapters: Adapters) -> None:
    (done,) = versions_of(plan_for(adapters, pairs(110), REWARD))
    held = done.metrics["holdout_pairs"]
    assert 10 < held < 40
    assert "folds" not in done.metrics
    made = adapters.manifest("r1")
    assert (len(made.records), len(made.measured)) == (110 - held, held)


def test_pairs_of_one_conversation_are_measured_as_one_group(adapters: Adapters) -> None:
    alike = [pair.model_copy(update={"conversation_id": "c"}) for pair in pairs(4)]
    (done,) = versions_of(plan_for(adapters, [*alike, *pairs(8)[4:]], REWARD))
    assert (done.metrics["holdout_pairs"], done.metrics["holdout_groups"]) == (8, 5)


def test_a_reward_model_goes_on_from_the_last_one_where_it_may(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.reward_accuracy.wilson", lambda right, total: (0.6, 1.0))
    records, more = pairs(140)[:110], pairs(140)[110:]
    versions_of(plan_for(adapters, records, REWARD))
    may = CONFIG.model_copy(
        update={
            "tuning": CONFIG.tuning.model_copy(update={"reward": RewardTuning(incremental=True)})
        }
    )
    first = adapters.manifest("r1")
    (done,) = versions_of(make_plan([*records, *more], adapters, may, REWARD))
    second = adapters.manifest("r2")
    assert second.parent == "r1"
    assert set(second.records) <= {record.id for record in more}
    assert second.replayed
    assert set(second.replayed) <= set(first.records)
    assert set(first.measured) <= set(second.measured)
    assert done.metrics["holdout_pairs"] == len(second.measured)
    known = adapters.learned("r2") | set(second.measured)
    assert known == {record.id for record in [*records, *more]}
    assert plan_for(adapters, [*records, *more]).of("reward").missing == "no new pairs"


def test_a_cancelled_pass_leaves_nothing_and_a_finished_one_stays(adapters: Adapters) -> None:
    run_control = RunControl()

    def emit(event: Event) -> None:
        if isinstance(event, PassStarted) and event.name == "reward":
            run_control.cancel()

    run_control.emit = emit
    with pytest.raises(Cancelled):
        run(plan_for(adapters, [*instructions(4), *pairs(20)], BOTH), run_control)
    assert {path.name for path in adapters.dir.iterdir()} == {
        *("v1", "base.json", "base_replies.json")
    }


def test_nothing_is_trained_on_before_it_is_proven_what_is_learned(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    records: list[Record] = [*instructions(4), *thumbs(4, 4), *pairs(20)]
    run(plan_for(adapters, records), RunControl(emit=events.append))
    told = [event for event in events if isinstance(event, PassStarted | MaskProof)]
    assert [(type(event), event.name) for event in told] == [
        (kind, name)
        for name in ("sft", "kto", "dpo", "reward")
        for kind in (PassStarted, MaskProof)
    ]
    monkeypatch.setattr("core.training.mask_check.stop_ids", lambda tokenizer: frozenset())
    rebuilt = make_plan(records, adapters, CONFIG, rebuild=True)
    with pytest.raises(TuteeError, match="check before training failed"):
        versions_of(rebuilt)
    assert len(adapters.versions()) == 3
