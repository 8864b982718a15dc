"""SFT must learn what TRL's own trainer learns, and leave nothing but its result."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import SFTTuning, Tuning
from core.events import Event, StepReport
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.scheduler import Cancelled
from core.training import lora, sft
from core.training.learning import Learning
from core.training.run_control import RunControl
from data.tokenization import Sample
from tests.core.training.conftest import plain_arguments, trainable

SETTINGS = Tuning(epochs=4, batch_size=6, sft=SFTTuning(learning_rate=5e-3))
LONGER = Tuning(epochs=30, batch_size=6, sft=SFTTuning(learning_rate=1e-2))


def test_it_learns_and_the_base_stays_as_it_was(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample]
) -> None:
    before = load_model(tiny_folder).state_dict()
    trained = sft.train(tiny_folder, tokenizer, None, samples, LONGER, RunControl())
    assert trained.steps == 30
    assert trained.losses[-1] < trained.losses[0] / 2
    assert any(w.abs().max() > 0 for n, w in trainable(trained.model).items() if "lora_B" in n)
    after = trained.model.unload().state_dict()
    for name, weight in before.items():
        assert torch.equal(weight, after[name]), name


def test_it_learns_what_trls_trainer_learns(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample], tmp_path: Path
) -> None:
    """With replies of one length; of several, TRL's mean over tokens is another loss."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    cut = [Sample(s.input_ids[: s.reply_start + 2], s.reply_start) for s in samples]
    ours = trainable(sft.train(tiny_folder, tokenizer, None, cut, SETTINGS, RunControl()).model)
    rows = [
        {
            "input_ids": list(s.input_ids),
            "labels": [-100] * s.reply_start + list(s.input_ids[s.reply_start :]),
        }
        for s in cut
    ]
    rate = Learning(len(cut), 4).rate

    class Plain(SFTTrainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, rate)
            return self.lr_scheduler

    plain = Plain(
        model=lora.with_lora(load_model(tiny_folder), SETTINGS, task_type="CAUSAL_LM"),
        args=SFTConfig(**plain_arguments(tmp_path, 4, 5e-3, SETTINGS.seed)),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    plain.train()
    theirs = trainable(plain.model)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=2e-2, atol=2e-4)


def test_a_short_reply_counts_as_much_as_a_long_one(
    tiny_folder: ModelFolder, tokenizer: Any, sample: Any
) -> None:
    short, long = sample("Paris", "the capital"), sample("one two three four five six", "count")
    settings = SETTINGS.model_copy(update={"epochs": 1, "batch_size": 2})

    def first_loss(*samples: Sample) -> float:
        return sft.train(tiny_folder, tokenizer, None, samples, settings, RunControl()).losses[0]

    mean = (first_loss(short) + first_loss(long)) / 2
    assert first_loss(short, long) == pytest.approx(mean, abs=1e-3)


def test_it_ends_when_every_reply_is_learned(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample]
) -> None:
    """Replies of one and the same token, which is all that so small a model can learn by heart."""
    taught = [Sample((*s.input_ids[: s.reply_start], 9, 9, 9), s.reply_start) for s in samples]
    reports: list[Event] = []
    most = Tuning(epochs=100, batch_size=6, sft=SFTTuning(learning_rate=2e-2))
    trained = sft.train(tiny_folder, tokenizer, None, taught, most, RunControl(emit=reports.append))
    assert trained.steps < 90
    assert trained.metrics == {"samples": len(taught), "samples_learned": len(taught)}
    last = [report for report in reports if isinstance(report, StepReport)][-1]
    assert (last.step, last.eta_seconds) == (trained.steps, 0)
    assert last.learned == (len(taught), len(taught))


def test_the_same_data_and_seed_give_the_identical_adapter(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample]
) -> None:
    one = trainable(sft.train(tiny_folder, tokenizer, None, samples, SETTINGS, RunControl()).model)
    two = trainable(sft.train(tiny_folder, tokenizer, None, samples, SETTINGS, RunControl()).model)
    assert all(torch.equal(weight, two[name]) for name, weight in one.items())


def test_small_micro_batches_make_the_same_steps(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sft.train(tiny_folder, tokenizer, None, samples, SETTINGS, RunControl())
    monkeypatch.setattr("core.training.memory_budget.MICRO_BATCH_TOKENS", 1)
    events: list[Event] = []
    small = sft.train(
        tiny_folder, tokenizer, None, samples, SETTINGS, RunControl(emit=events.append)
    )
    assert small.losses == pytest.approx(whole.losses, abs=1e-3)
    reports = [event for event in events if isinstance(event, StepReport)]
    assert len(reports) == 4 * 6  # one a micro-batch


def test_it_goes_on_from_an_adapter_that_plain_peft_can_load_too(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample], tmp_path: Path
) -> None:
    from peft import PeftModel

    first = sft.train(tiny_folder, tokenizer, None, samples, LONGER, RunControl())
    first.save(tmp_path)
    ids = torch.tensor([samples[0].input_ids])
    loaded = PeftModel.from_pretrained(load_model(tiny_folder), tmp_path)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(ids).logits, first.model.eval()(ids).logits)
    second = sft.train(tiny_folder, tokenizer, tmp_path, samples, SETTINGS, RunControl())
    assert second.losses[0] < first.losses[0] / 2


def test_cancelling_stops_at_the_next_micro_batch(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample]
) -> None:
    run_control = RunControl()
    steps: list[Event] = []

    def emit(event: Event) -> None:
        steps.append(event)
        run_control.cancel()

    run_control.emit = emit
    with pytest.raises(Cancelled):
        sft.train(tiny_folder, tokenizer, None, samples, SETTINGS, run_control)
    assert len(steps) == 1


def test_progress_counts_down_to_the_end(
    tiny_folder: ModelFolder, tokenizer: Any, samples: list[Sample]
) -> None:
    reports: list[Event] = []
    trained = sft.train(
        tiny_folder, tokenizer, None, samples, SETTINGS, RunControl(emit=reports.append)
    )
    steps = [report for report in reports if isinstance(report, StepReport)]
    assert [report.step for report in steps] == [1, 2, 3, 4]
    assert steps[-1].eta_seconds == 0
    assert steps[0].grad_norm is None  # no weight was updated before
    assert all(report.grad_norm and report.grad_norm > 0 for report in steps[1:])
    assert trained.tokens == 4 * sum(len(s.input_ids) for s in samples)
    assert trained.trained_tokens == 4 * sum(len(s.input_ids) - s.reply_start for s in samples)


def test_nothing_is_printed_and_no_file_is_left(
    tiny_folder: ModelFolder,
    tokenizer: Any,
    samples: Sequence[Sample],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
    sft.train(tiny_folder, tokenizer, None, samples, SETTINGS, RunControl())
    out, err = capfd.readouterr()
    assert out == ""
    assert err == ""
    assert list(tmp_path.iterdir()) == []
