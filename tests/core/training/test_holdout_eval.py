"""The held-out records are looked at without a trace in what is learned, and at a bounded cost."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from core.config import SFTTuning, Tuning
from core.events import Event, HoldoutReport
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.training import sft
from core.training.exam import Exam, Examiner, ExamQuestion, mean_loss
from core.training.holdout_eval import EVALUATIONS, HoldoutCurve
from core.training.run_control import RunControl
from data.tokenization import Sample
from tests.core.training.conftest import trainable

SETTINGS = Tuning(epochs=12, batch_size=3, dropout=0.1, sft=SFTTuning(learning_rate=5e-3))


def test_it_tells_the_loss_and_leaves_no_trace(
    tiny_folder: ModelFolder,
    tokenizer: Any,
    samples: list[Sample],
    sample: Callable[[str, str], Sample],
) -> None:
    held_out = sample("What is it?", "positive")
    question = ExamQuestion("", held_out.input_ids[: held_out.reply_start], "positive", held_out)
    exam = Exam(tokenizer, probes=(), held_out=(question,))
    events: list[Event] = []
    run_control = RunControl(events.append)
    plain = sft.train(tiny_folder, tokenizer, None, samples, SETTINGS, RunControl())
    looked = sft.train(
        tiny_folder, tokenizer, None, samples, SETTINGS, run_control, Examiner(exam, run_control)
    )
    found = [event for event in events if isinstance(event, HoldoutReport)]
    assert [event.step for event in found] == list(range(0, 24, 3))
    assert found[0].loss == pytest.approx(
        mean_loss(load_model(tiny_folder), [held_out], RunControl())
    )
    assert found[-1].loss < found[0].loss
    assert looked.losses == plain.losses
    one, two = trainable(plain.model), trainable(looked.model)
    assert all(torch.equal(weight, two[name]) for name, weight in one.items())


@pytest.mark.parametrize(
    ("count", "steps", "looks"),
    [
        (0, 100, 0),
        (1, 100, EVALUATIONS),
        (60, 100, 5),
        (100, 100, 3),
        (101, 100, 3),
        (10_000, 100, 3),
    ],
)
def test_its_cost_is_bounded(
    monkeypatch: pytest.MonkeyPatch, count: int, steps: int, looks: int
) -> None:
    sizes: list[int] = []

    def measured(model: object, seen: list[Sample], run_control: RunControl) -> float:
        sizes.append(sum(len(one.input_ids) for one in seen))
        return 1.0

    monkeypatch.setattr("core.training.holdout_eval.mean_loss", measured)
    tokens = 10_000
    held_out = HoldoutCurve([Sample(tuple(range(10)), 5)] * count, tokens, steps, RunControl())
    for step in range(steps):
        held_out.evaluate(None, step)
    assert len(sizes) == looks
    assert set(sizes) <= {10 * min(count, 100)}  # a look at more would cost more than its share
    assert sum(sizes) / 3 <= tokens / 10
