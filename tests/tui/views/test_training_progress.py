"""A training run folded into one value."""

from dataclasses import replace

import pytest

from core.events import (
    MaskProof,
    ModelLoading,
    PassDone,
    PassName,
    PassResumed,
    PassStarted,
    Stage,
    StageReport,
    StepReport,
    TuningCancelled,
    TuningDone,
    TuningFailed,
    TuningStarted,
)
from store.errors import TuteeError
from tui.views.training_progress import (
    TrainingProgress,
    TuningEvent,
    advance,
    describe,
    learned,
    stage_text,
    ticked,
)
from tui.widgets.activity import loading_line, tuning_line

SFT_DONE = PassDone("sft", "v1", 2, (2.0, 1.0), 12.0, 100)


def run(*events: TuningEvent) -> TrainingProgress:
    progress = None
    for event in events:
        progress = advance(progress, event)
    assert progress is not None
    return progress


def step(number: float, loss: float | None, eta: float = 31.0) -> StepReport:
    return StepReport("sft", number, 24, loss, 212.0, eta)


def test_only_whole_steps_add_a_loss() -> None:
    progress = run(
        TuningStarted(("sft",)),
        PassStarted("sft", 24, 8, 2),
        step(0.5, None),
        step(1.0, 2.9),
        step(1.5, 2.9),
        step(2.0, 1.5),
    )
    assert progress.points == ((1.0, 2.9), (2.0, 1.5))
    assert progress.active
    assert progress.eta == 31.0


def test_the_gradient_is_of_this_pass() -> None:
    one = replace(step(1.0, 2.9), grad_norm=0.5)
    begun = (TuningStarted(("sft", "dpo")), PassStarted("sft", 24, 8, 2))
    assert run(*begun, one).grad_norm == 0.5
    assert run(*begun, one, PassStarted("dpo", 24, 8, 2)).grad_norm is None


def test_a_resumed_pass_goes_on_where_its_curve_was() -> None:
    progress = run(
        TuningStarted(("sft",)),
        PassStarted("sft", 24, 8, 2),
        PassResumed("sft", 24, (2.9, 1.5)),
        step(3.0, 1.2),
    )
    assert progress.points == ((1.0, 2.9), (2.0, 1.5), (3.0, 1.2))


def test_a_pass_that_ended_before_its_time_says_why() -> None:
    strayed = {"stopped_because": "the policy went 0.61 nats a token further from the base"}
    early = PassDone("rl", "v2", 9, (2.0, 1.0), 12.0, 100, strayed)
    assert "Ended early: the policy went 0.61 nats a token further from the base." in describe(
        early
    )
    assert "Ended early" not in describe(SFT_DONE)


def test_the_proof_stays_to_be_looked_at() -> None:
    proof = MaskProof("sft", 10, 300, 200, 50, 0.0, 40, ())
    progress = run(
        TuningStarted(("sft",)), PassStarted("sft", 24, 8, 2), proof, step(1.0, 2.9), SFT_DONE
    )
    assert progress.proof == proof


def test_a_finished_pass_brings_every_loss_even_those_that_were_thinned_out() -> None:
    progress = run(TuningStarted(("sft",)), PassStarted("sft", 2, 8, 2), step(2.0, 1.0), SFT_DONE)
    assert progress.losses == [2.0, 1.0]


def test_the_next_pass_starts_its_own_curve() -> None:
    progress = run(TuningStarted(("sft", "reward")), SFT_DONE, PassStarted("reward", 5, 20, 0))
    assert (progress.name, progress.points, progress.steps) == ("reward", (), 5)
    assert progress.finished == (SFT_DONE,)


def test_ends_are_sentences() -> None:
    done = run(TuningStarted(("sft",)), SFT_DONE, TuningDone((SFT_DONE,), "v1"))
    assert (done.state, done.message) == ("done", "Done: Imitate (SFT) made v1 in 0:12.")
    assert not done.active
    cancelled = run(TuningStarted(("sft",)), TuningCancelled())
    assert cancelled.message == "Canceled. Nothing was changed."
    kept = run(TuningStarted(("sft",)), TuningCancelled((SFT_DONE,)))
    assert kept.message == "Canceled. 1 finished pass kept: v1."
    failed = run(TuningStarted(("sft",)), TuningFailed(TuteeError("No memory.", "Close one.")))
    assert (failed.state, failed.message) == ("failed", "No memory. Close one.")


def taught(asked: int, *resisted: str) -> PassDone:
    metrics = {
        "taught_asked": asked,
        "taught_learned": asked - len(resisted),
        "taught_resisted": list(resisted),
    }
    return replace(SFT_DONE, metrics=metrics)


@pytest.mark.parametrize(
    ("passes", "sentence"),
    [
        ([SFT_DONE], ""),
        ([taught(8)], "8 of 8 now as you taught."),
        (
            [taught(8, "Who [b]is[/b] it?")],
            "7 of 8 now as you taught, not yet “Who [b]is[/b] it?”.",
        ),
        ([taught(8, *"abcde")], "3 of 8 now as you taught, not yet “a”, “b”, “c” and 2 more."),
        # The last one that was asked.
        ([taught(8, "a"), taught(8), SFT_DONE], "8 of 8 now as you taught."),
    ],
)
def test_what_was_learned_is_told_and_what_resisted_is_named(
    passes: list[PassDone], sentence: str
) -> None:
    assert learned(passes) == sentence


def test_the_end_of_a_run_begins_with_what_was_learned() -> None:
    done = taught(8)
    progress = run(TuningStarted(("sft",)), done, TuningDone((done,), "v1"))
    assert progress.message == "8 of 8 now as you taught. Done: Imitate (SFT) made v1 in 0:12."
    assert describe(done).startswith("8 of 8 now as you taught. Imitate (SFT): made v1 in 0:12.")


def test_a_run_after_a_run_begins_clean() -> None:
    progress = run(TuningStarted(("sft",)), SFT_DONE, TuningDone((SFT_DONE,), "v1"))
    again = advance(progress, TuningStarted(("sft",)))
    assert again == TrainingProgress(passes=("sft",))


def test_the_activity_line() -> None:
    started = (TuningStarted(("sft",)), PassStarted("sft", 24, 8, 2))
    assert tuning_line(TrainingProgress(), "F5").plain.startswith("▸ Reading records, loading")
    line = tuning_line(run(*started, step(1.0, 2.9), step(2.2, 0.83)), "F5").plain
    assert line.startswith("▸ Imitate (SFT) 2/24 ")
    paused = replace(run(*started, step(2.2, 2.9)), state="paused")
    assert tuning_line(paused, "F12").plain == "▸ Tuning is paused at step 2 of 24 · F12"


EXPECTED: dict[PassName, dict[Stage, float]] = {
    "sft": {"prepare": 5.0, "before": 10.0, "learn": 30.0, "after": 10.0, "save": 1.0},
    "reward": {"prepare": 5.0, "learn": 20.0, "save": 1.0},
}
WHOLE: list[tuple[float, TuningEvent]] = [
    (100.0, TuningStarted(("sft", "reward"), EXPECTED)),
    (100.0, StageReport("prepare")),
    (101.0, PassStarted("sft", 2, 8, 2)),
    (104.0, StageReport("base", 0, 20)),  # not in the estimate
    (109.0, StageReport("base", 20, 20)),
    (109.0, StageReport("prepare")),
    (110.0, StageReport("before", 0, 15)),
    (116.0, StageReport("before", 7, 15)),
    (121.0, StageReport("learn")),
    (130.0, StepReport("sft", 1.0, 2, 2.0, 200.0, 9.0)),
    (140.0, StepReport("sft", 2.0, 2, 1.0, 200.0, 0.0)),
    (140.0, StageReport("after", 0, 15)),
    (160.0, StageReport("after", 15, 15)),
    (160.0, StageReport("save")),
    (161.0, SFT_DONE),
    (161.0, StageReport("prepare")),
    (162.0, PassStarted("reward", 4, 20, 0)),
    (170.0, StepReport("reward", 2.0, 4, 0.7, 200.0, 8.0)),
    (178.0, StepReport("reward", 4.0, 4, 0.6, 200.0, 0.0)),
]


def followed(events: list[tuple[float, TuningEvent]]) -> list[TrainingProgress]:
    progress: list[TrainingProgress] = []
    for at, event in events:
        progress.append(advance(progress[-1] if progress else None, event, at))
    return progress


def test_each_stage_is_named_with_its_count() -> None:
    named = [stage_text(progress) for progress in followed(WHOLE)]
    assert named[7] == "Exam before 7/15"
    assert named[9] == "Imitate (SFT) 1/2"
    assert named[12] == "Exam after 15/15"
    assert named[-1] == "Judge (reward model) 4/4"


def test_one_bar_covers_the_whole_run_and_never_goes_back() -> None:
    shares = [progress.share for progress in followed(WHOLE)]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert 0.1 < shares[7] < 0.4, "the exam and the next pass are in it"
    assert 0.5 < shares[14] < 0.85
    assert 0.9 < shares[-1] < 1.0


def test_the_clock_goes_on_between_events() -> None:
    progress = followed(WHOLE[:7])[-1]
    assert progress.left == pytest.approx(30 + 10 + 1 + 26 + 10)
    later = ticked(progress, 114.0)
    assert (later.elapsed, later.left) == (14.0, pytest.approx(73))
    much_later = ticked(progress, 1000.0)
    assert much_later.elapsed == 900.0
    assert (much_later.left or 0) > 67 + 100, "what takes longer than estimated is not about to end"
    assert ticked(replace(progress, state="done"), 2000.0).at == progress.at


def test_a_run_of_which_nothing_is_known_shows_its_time_alone() -> None:
    progress = followed([(5.0, TuningStarted(("sft",))), (7.0, PassStarted("sft", 2, 8, 2))])[-1]
    assert tuning_line(progress, "F5").plain.endswith("  0:02")


def test_the_log_says_what_happens() -> None:
    lines = [line for _, event in WHOLE if (line := describe(event))]
    assert "Exam before the training: 15 questions." in lines
    assert "Exam after the training: 15 questions." in lines
    assert len([line for line in lines if line.startswith("Exam")]) == 2
    assert describe(StageReport("before")) == "Exam before the training: all answers are known."


def test_a_pass_took_as_long_as_the_clock_on_the_wall_says() -> None:
    done = replace(SFT_DONE, metrics={"wall_seconds": 285.0})
    progress = run(TuningStarted(("sft",)), done, TuningDone((done,), "v1"))
    assert progress.message == "Done: Imitate (SFT) made v1 in 4:45."


def test_the_loading_line_has_a_bar_only_where_the_length_is_known() -> None:
    assert loading_line(ModelLoading("Loading the model")).plain == "▸ Loading the model…"
    line = loading_line(ModelLoading("Fetching", 46_500_000, 93_000_000)).plain
    assert line.startswith("▸ Fetching  ━")
    assert line.endswith("50% of 93 MB")
