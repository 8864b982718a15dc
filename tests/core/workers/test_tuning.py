"""The thread that trains, and the chat beside it."""

from dataclasses import replace

import pytest

from core.config import Tuning
from core.events import (
    AdapterSwapped,
    PassDone,
    StepReport,
    TuningCancelled,
    TuningDone,
    TuningFailed,
)
from core.runs.run import OnPassDone
from core.runtime.scheduler import Cancelled
from core.training.run_control import RunControl
from core.workers.chat import ChatWorker
from core.workers.tuning import TuningWorker
from store.errors import TuteeError
from tests.core.ears import Ears, greedy_reply, plan

pytestmark = pytest.mark.waits


def test_tuning_makes_a_version_and_the_chat_swaps_to_it_and_back(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A random model that is taught anything drifts far.
    monkeypatch.setattr("core.runs.save_version.reasons_to_hold_back", lambda report: ())
    before = greedy_reply(chat, ears)
    assert "positive" not in before
    trainer.start(plan(chat, epochs=20))
    assert ears.wait_for(TuningDone).adapter == "v1"
    assert greedy_reply(chat, ears) == before  # nothing changes until it is activated
    chat.swap("v1")
    assert ears.wait_for(AdapterSwapped).version == "v1"
    assert "positive" in greedy_reply(chat, ears)
    chat.swap("base")
    ears.wait_for(AdapterSwapped)
    assert greedy_reply(chat, ears) == before


def test_a_cancelled_run_leaves_no_version_and_the_chat_untouched(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    before = greedy_reply(chat, ears)
    trainer.start(plan(chat, epochs=100))
    ears.wait_for(StepReport)
    trainer.cancel()
    assert ears.wait_for(TuningCancelled).finished == ()
    assert chat.adapters is not None
    assert chat.adapters.versions() == []
    assert greedy_reply(chat, ears) == before


def test_a_failed_run_says_why_and_leaves_the_chat_untouched(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    before = greedy_reply(chat, ears)
    settings = Tuning(max_length=16)  # shorter than the system prompt
    trainer.start(replace(plan(chat), settings=settings))
    assert "longer than 16 tokens" in ears.wait_for(TuningFailed).error.title
    assert greedy_reply(chat, ears) == before


def test_chat_is_answered_while_tuning_runs(
    chat: ChatWorker, trainer: TuningWorker, ears: Ears
) -> None:
    trainer.start(plan(chat, epochs=100))
    ears.wait_for(StepReport)
    greedy_reply(chat, ears)
    assert not any(isinstance(event, TuningDone) for event in ears.heard)
    assert trainer.running


def test_one_run_at_a_time(chat: ChatWorker, trainer: TuningWorker, ears: Ears) -> None:
    trainer.start(plan(chat, epochs=100))
    with pytest.raises(TuteeError, match="already under way"):
        trainer.start(plan(chat))


def passed(version: str, held_back: tuple[str, ...] = ()) -> PassDone:
    return PassDone("sft", version, 1, (1.0,), 1.0, 1, held_back=held_back)


@pytest.mark.parametrize(
    ("made", "adapter"),
    [
        ([], None),
        ([passed("v1", ("it got worse",))], None),
        ([passed("v1"), passed("v2", ("it got worse",))], "v1"),
        ([passed("v1"), passed("v2")], "v2"),
    ],
)
@pytest.mark.parametrize("end", [None, Cancelled(), ValueError("no")])
def test_however_a_run_ends_it_names_the_version_to_use(
    trainer: TuningWorker, made: list[PassDone], adapter: str | None, end: Exception | None
) -> None:
    def work(run_control: RunControl, finished: OnPassDone) -> None:
        for one in made:
            finished(one)
        if end:
            raise end

    run_control = RunControl()
    assert trainer._outcome(work, run_control).adapter == adapter
    if isinstance(end, Cancelled):
        run_control.interrupt()
        assert trainer._outcome(work, run_control).adapter is None, "it can be resumed"
