"""A pass that was interrupted and goes on must make the same weights as one that was not."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import RLTuning, SFTTuning, Tuning
from core.events import Event, PassResumed, RolloutReport, StepReport
from core.models.folder import ModelFolder
from core.runtime.scheduler import Cancelled
from core.training import checkpoints, dpo, kto, reward, rloo, sft
from core.training.rehearsal import RehearsalPlan
from core.training.rollout import Rollout
from core.training.run_control import RunControl
from data.tokenization import Sample, encode_prompt
from store.records import ChatMessage
from tests.core.training.conftest import QUESTIONS, trainable

# A dropout, so that the state of the random numbers matters, and steps of two micro-batches,
# one of which is short at the end of an epoch.
SETTINGS = Tuning(
    epochs=3,
    batch_size=4,
    dropout=0.2,
    sft=SFTTuning(minimum_steps=1),
    rl=RLTuning(
        steps=6, prompts=2, generations=4, max_new_tokens=8, learning_rate=5e-3, kl_limit=99.0
    ),
)
STEPS = 6

Train = Callable[[RunControl], Any]


@pytest.fixture
def ends_anywhere(monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> None:
    """A random model hardly ever ends; here every other token ends a reply."""
    stop = frozenset(range(0, len(tokenizer), 2))
    monkeypatch.setattr("core.training.rloo_trainer.stop_ids", lambda tokenizer: stop)


@pytest.fixture(params=["sft", "kto", "dpo", "reward", "rl"])
def train(
    request: pytest.FixtureRequest,
    tiny_folder: ModelFolder,
    tokenizer: Any,
    samples: list[Sample],
    pairs: list[tuple[Sample, Sample]],
    started: Path,
    ends_anywhere: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Train:
    """A pass, six steps long, that makes a checkpoint after every second of them."""
    monkeypatch.setattr(checkpoints, "EVERY_STEPS", 2)
    monkeypatch.setattr("core.training.memory_budget.MICRO_BATCH_TOKENS", 60)
    judged = [kto.LabeledReply(sample, i % 2 == 0) for i, sample in enumerate(samples)]
    prompts = [
        tuple(encode_prompt(tokenizer, [ChatMessage(role="user", content=question)]))
        for question in QUESTIONS[:5]  # an epoch of two steps, and one prompt too many
    ]
    common = (tiny_folder, tokenizer)
    asked = tuple(chosen.input_ids[: chosen.reply_start] for chosen, _ in pairs)
    rehearsal = RehearsalPlan(asked, 1.0, tokenizer, tmp_path / "base")
    passes: dict[str, Train] = {
        "sft": lambda run_control: sft.train(
            *common, started, samples, SETTINGS, run_control, None, rehearsal
        ),
        "kto": lambda run_control: kto.train(
            *common, started, judged, judged, SETTINGS, run_control, None, rehearsal
        ),
        "dpo": lambda run_control: dpo.train(*common, started, pairs, pairs, SETTINGS, run_control),
        "reward": lambda run_control: reward.train(
            *common, None, pairs, pairs, SETTINGS, run_control
        ),
        "rl": lambda run_control: rloo.train(
            *common, started, prompts, prompts, _short, SETTINGS, run_control
        ),
    }
    return passes[request.param]


def _short(rollouts: Sequence[Rollout]) -> list[float]:
    return [-float(len(r.sample.input_ids) - r.sample.reply_start) for r in rollouts]


def interrupted(train: Train, folder: Path, after: float) -> list[Event]:
    """Run `train` until `after` steps are done, and leave it there."""
    events: list[Event] = []
    run_control = RunControl(checkpoints=folder)

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepReport) and event.step >= after:
            run_control.cancel()

    run_control.emit = emit
    with pytest.raises(Cancelled):
        train(run_control)
    return events


# In the middle of an epoch, in the middle of a step, and at the end of an epoch.
@pytest.mark.parametrize("after", [3.0, 4.5])
def test_it_goes_on_to_the_same_weights_and_figures(
    train: Train, tmp_path: Path, after: float
) -> None:
    whole = train(RunControl())
    interrupted(train, tmp_path / "run", after)
    assert checkpoints.steps_done(tmp_path / "run") == 2 * (int(after) // 2)
    events: list[Event] = []
    resumed = train(RunControl(emit=events.append, checkpoints=tmp_path / "run"))
    wanted = trainable(whole.model)
    for name, weight in trainable(resumed.model).items():
        assert torch.equal(weight, wanted[name]), name
    assert resumed.losses == whole.losses
    assert resumed.metrics == whole.metrics
    assert (resumed.steps, resumed.tokens, resumed.trained_tokens) == (
        whole.steps,
        whole.tokens,
        whole.trained_tokens,
    )
    (told,) = [event for event in events if isinstance(event, PassResumed)]
    assert len(told.losses) == 2 * (int(after) // 2)
    assert [round(loss, 4) for loss in told.losses] == list(whole.losses[: len(told.losses)])
    assert told.steps == whole.steps == STEPS
    first = next(event for event in events if isinstance(event, StepReport))
    assert len(told.losses) < first.step <= len(told.losses) + 1
    drawn = [event.step for event in events if isinstance(event, RolloutReport)]
    assert drawn in ([], list(range(1, STEPS + 1)))


def test_a_checkpoint_is_small_private_and_silent(
    train: Train, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    capfd.readouterr()
    train(RunControl(checkpoints=folder))
    assert capfd.readouterr() == ("", "")
    assert {path.name for path in folder.iterdir()} == {"checkpoint-4", "checkpoint-6"}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    names = {path.name for path in (folder / "checkpoint-6").iterdir()}
    assert names - {"tutee.safetensors"} == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "optimizer.pt",
        "scheduler.pt",
        "rng_state.pth",
        "trainer_state.json",
        "tutee.json",
    }


@pytest.fixture
def train_sft(
    tiny_folder: ModelFolder,
    tokenizer: Any,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> Train:
    monkeypatch.setattr(checkpoints, "EVERY_STEPS", 2)
    return lambda run_control: sft.train(
        tiny_folder, tokenizer, None, samples, SETTINGS, run_control
    )


def test_one_that_is_not_whole_is_passed_over(train_sft: Train, tmp_path: Path) -> None:
    interrupted(train_sft, tmp_path, 5)
    (tmp_path / "checkpoint-4" / "tutee.json").unlink()  # as if killed while it was written
    assert checkpoints.steps_done(tmp_path) == 2
    whole, resumed = train_sft(RunControl()), train_sft(RunControl(checkpoints=tmp_path))
    assert resumed.losses == whole.losses
    for one, other in zip(
        trainable(resumed.model).values(), trainable(whole.model).values(), strict=True
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("torch.save", RuntimeError("PytorchStreamWriter failed writing file: file write failed")),
        ("core.training.checkpoints.os.fsync", OSError(28, "No space left on device")),
    ],
)
def test_where_none_can_be_written_the_pass_goes_on(
    train_sft: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    what: str,
    error: Exception,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(what, fail)
    with caplog.at_level(logging.WARNING):
        assert train_sft(RunControl(checkpoints=tmp_path)).steps == STEPS
    assert "No checkpoint at step 2" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_the_first_step_has_one_and_then_every_half_minute(
    train_sft: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_STEPS", 100)
    interrupted(train_sft, tmp_path, 5)
    assert (checkpoints.steps_done(tmp_path), checkpoints.steps_planned(tmp_path)) == (1, STEPS)
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
    interrupted(train_sft, tmp_path, 5)
    assert checkpoints.steps_done(tmp_path) == 5
