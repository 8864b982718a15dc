"""KTO must learn what TRL's own trainer learns, and move both labels apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import PreferenceTuning, Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.training import kto, lora
from core.training.kto import LabeledReply
from core.training.run_control import RunControl
from data.tokenization import Sample
from tests.core.training.conftest import QUESTIONS, plain_arguments, trainable

SETTINGS = Tuning(epochs=5, batch_size=6, preference=PreferenceTuning(learning_rate=5e-3))


@pytest.fixture
def judged(sample: Callable[[str, str], Sample]) -> list[LabeledReply]:
    """Two liked, four disliked replies."""
    return [
        LabeledReply(sample(q, "a helpful answer" if liked else "negative 42"), liked)
        for q, liked in zip(QUESTIONS, [True, False, False] * 2, strict=True)
    ]


def test_liked_replies_gain_on_disliked_ones(
    tiny_folder: ModelFolder, tokenizer: Any, judged: list[LabeledReply]
) -> None:
    metrics = kto.train(
        tiny_folder, tokenizer, None, judged, judged, SETTINGS, RunControl()
    ).metrics
    assert metrics["holdout_thumbs"] == len(judged)
    assert metrics["holdout_margin_before"] == pytest.approx(0, abs=1e-4)
    assert metrics["holdout_margin"] > 1


def test_one_label_alone_makes_no_margin_to_report(
    tiny_folder: ModelFolder, tokenizer: Any, judged: list[LabeledReply]
) -> None:
    liked = [j for j in judged if j.label]
    trained = kto.train(tiny_folder, tokenizer, None, judged, liked, SETTINGS, RunControl())
    assert trained.metrics == {}
    assert trained.steps == 5


def test_it_learns_what_trls_trainer_learns(
    tiny_folder: ModelFolder, tokenizer: Any, judged: list[LabeledReply], tmp_path: Path
) -> None:
    from datasets import Dataset
    from trl import KTOConfig, KTOTrainer

    ours = trainable(
        kto.train(tiny_folder, tokenizer, None, judged, [], SETTINGS, RunControl()).model
    )
    replies = [list(j.sample.input_ids[j.sample.reply_start :]) for j in judged]
    rows = [
        {
            "prompt_ids": list(j.sample.input_ids[: j.sample.reply_start]),
            "completion_ids": replies[i],
            "KL_completion_ids": replies[i - 1],
            "label": j.label,
        }
        for i, j in enumerate(judged)
    ]

    class Prepared(KTOTrainer):
        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset

    start = lora.with_lora(load_model(tiny_folder), SETTINGS, task_type="CAUSAL_LM")
    plain = Prepared(
        model=load_model(tiny_folder),
        peft_config=start.peft_config["default"],
        args=KTOConfig(
            **plain_arguments(tmp_path, 5, 5e-3, SETTINGS.seed),
            beta=SETTINGS.preference.beta,
            desirable_weight=2.0,
            undesirable_weight=1.0,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    # The same start: TRL makes the adapter itself, from another point of the random sequence.
    begun = trainable(start)
    for name, weight in plain.model.named_parameters():
        if name in begun:
            weight.data.copy_(begun[name])
    plain.train()
    theirs = trainable(plain.model)
    assert ours.keys() == theirs.keys()
    assert any((weight - begun[name]).abs().max() > 1e-3 for name, weight in ours.items())
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=2e-2, atol=2e-4)


def test_the_rarer_label_weighs_more(
    tiny_folder: ModelFolder, tokenizer: Any, judged: list[LabeledReply]
) -> None:
    trainer = kto.build(tiny_folder, tokenizer, None, judged, SETTINGS, RunControl())
    assert (trainer.desirable_weight, trainer.undesirable_weight) == (2.0, 1.0)


def test_the_reference_is_the_base_also_when_it_goes_on_from_an_adapter(
    tiny_folder: ModelFolder, tokenizer: Any, judged: list[LabeledReply], started: Path
) -> None:
    trainer = kto.build(tiny_folder, tokenizer, started, judged, SETTINGS, RunControl())
    fresh = kto.build(tiny_folder, tokenizer, None, judged, SETTINGS, RunControl())
    rows = [{"index": i} for i in range(len(judged))]
    one, other = trainer.data_collator(rows), fresh.data_collator(rows)
    torch.testing.assert_close(one["reference"], other["reference"])
    torch.testing.assert_close(one["reference_mismatched"], other["reference_mismatched"])
    assert list(trainer.model.peft_config) == ["default"]
