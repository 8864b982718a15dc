"""A training run folded into one value."""

from dataclasses import replace

import pytest

from core.events import (
    MaskProof,
    ModelLoading,
    PassDone,
    PassResumed,
    PassStarted,
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
    assert (done.state, done.message) == ("done", "Done: SFT made v1 in 0:12.")
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
        ([taught(8)], "Learned 8 of 8."),
        ([taught(8, "Who [b]is[/b] it?")], "Learned 7 of 8, not yet “Who [b]is[/b] it?”."),
        ([taught(8, *"abcde")], "Learned 3 of 8, not yet “a”, “b”, “c” and 2 more."),
        ([taught(8, "a"), taught(8), SFT_DONE], "Learned 8 of 8."),  # the last one that was asked
    ],
)
def test_what_was_learned_is_told_and_what_resisted_is_named(
    passes: list[PassDone], sentence: str
) -> None:
    assert learned(passes) == sentence


def test_the_end_of_a_run_begins_with_what_was_learned() -> None:
    done = taught(8)
    progress = run(TuningStarted(("sft",)), done, TuningDone((done,), "v1"))
    assert progress.message == "Learned 8 of 8. Done: SFT made v1 in 0:12."
    assert describe(done).startswith("Learned 8 of 8. SFT: made v1 in 0:12.")


def test_a_run_after_a_run_begins_clean() -> None:
    progress = run(TuningStarted(("sft",)), SFT_DONE, TuningDone((SFT_DONE,), "v1"))
    assert advance(progress, TuningStarted(("sft",))) == TrainingProgress()


def test_the_activity_line() -> None:
    started = (TuningStarted(("sft",)), PassStarted("sft", 24, 8, 2))
    assert tuning_line(TrainingProgress(), "F5").plain == "▸ Tuning: preparing…"
    assert tuning_line(run(*started), "F5").plain == "▸ SFT 0/24"
    line = tuning_line(run(*started, step(1.0, 2.9), step(2.2, 0.83)), "F5")
    assert line.plain == "▸ SFT 2/24 · loss 0.83 █▁ · 0:31 left"
    paused = replace(run(*started, step(2.2, 2.9)), state="paused")
    assert tuning_line(paused, "F12").plain == "▸ Tuning is paused at step 2 of 24 · F12"


def test_the_loading_line_has_a_bar_only_where_the_length_is_known() -> None:
    assert loading_line(ModelLoading("Loading the model")).plain == "▸ Loading the model…"
    line = loading_line(ModelLoading("Fetching", 46_500_000, 93_000_000)).plain
    assert line.startswith("▸ Fetching  ━")
    assert line.endswith("50% of 93 MB")
