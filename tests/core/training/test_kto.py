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


def reply(sample: Sample) -> tuple[int, ...]:
    return sample.input_ids[sample.reply_start :]


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
    tiny_folder: ModelFolder,
    tokenizer: Any,
    judged: list[LabeledReply],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from datasets import Dataset
    from trl import KTOConfig, KTOTrainer

    def in_order(labels: list[bool], *_: int) -> list[int]:
        return list(range(len(labels)))

    monkeypatch.setattr("core.training.interleaving.interleaved", in_order)

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
    assert list(trainer.model.peft_config) == ["default"]


def batches_of(trainer: Any) -> list[dict[str, Any]]:
    """Train, and return the micro-batches."""
    collate, seen = trainer.data_collator, []

    def collated(rows: list[dict[str, int]]) -> dict[str, Any]:
        seen.append({"indices": [row["index"] for row in rows]} | collate(rows))
        return collate(rows)

    trainer.data_collator = collated
    trainer.controlled_train()
    return seen


def test_each_micro_batch_has_both_labels_and_each_epoch_another_order(
    tiny_folder: ModelFolder, tokenizer: Any, sample: Callable[[str, str], Sample]
) -> None:
    # As records come: new ones after each other, the labels in blocks.
    blocks = [LabeledReply(sample(f"{q} {n}", "Paris"), n < 2) for n in range(4) for q in QUESTIONS]
    settings = Tuning(epochs=2, batch_size=4, preference=PreferenceTuning(learning_rate=5e-3))
    trainer = kto.build(tiny_folder, tokenizer, None, blocks, settings, RunControl())
    batches = batches_of(trainer)
    assert all(set(batch["label"].tolist()) == {True, False} for batch in batches)
    first, second = batches[: len(batches) // 2], batches[len(batches) // 2 :]
    orders = [[i for batch in epoch for i in batch["indices"]] for epoch in (first, second)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(24))
    assert orders[0] != orders[1]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_any_batch_size_works(
    tiny_folder: ModelFolder, tokenizer: Any, judged: list[LabeledReply], batch_size: int
) -> None:
    settings = SETTINGS.model_copy(update={"batch_size": batch_size, "epochs": 1})
    judged = judged[:5]  # the last micro-batch has one reply, or two
    trained = kto.train(tiny_folder, tokenizer, None, judged, [], settings, RunControl())
    assert trained.steps == {1: 3, 3: 2}[batch_size]


def test_mismatched_replies_are_those_of_the_micro_batch(samples: list[Sample]) -> None:
    others = kto.mismatched(samples, [4, 0, 2])
    assert [other.input_ids[: other.reply_start] for other in others] == [
        samples[i].input_ids[: samples[i].reply_start] for i in (4, 0, 2)
    ]
    assert [reply(other) for other in others] == [reply(samples[i]) for i in (2, 4, 0)]


def test_a_reply_to_the_same_prompt_is_no_mismatch(sample: Callable[[str, str], Sample]) -> None:
    twins = [sample("hello", "Paris"), sample("hello", "42")]
    third = sample("a lazy dog", "positive")
    found = kto.mismatched([*twins, third], [0, 1, 2])
    assert [reply(other) for other in found] == [reply(third), reply(third), reply(twins[1])]
    # In a micro-batch of siblings, the reply of another one.
    assert [reply(s) for s in kto.mismatched([*twins, third], [0, 1])] == [reply(third)] * 2
    assert kto.mismatched(twins, [0, 1]) == []


def test_replies_to_one_prompt_alone_can_be_learned_too(
    tiny_folder: ModelFolder, tokenizer: Any, sample: Callable[[str, str], Sample]
) -> None:
    twins = [LabeledReply(sample("hello", t), t == "Paris") for t in ("Paris", "42")]
    metrics = kto.train(tiny_folder, tokenizer, None, twins, twins, SETTINGS, RunControl()).metrics
    assert metrics["holdout_margin"] > 1


def test_a_heavier_reply_changes_the_loss_by_its_weight(
    tiny_folder: ModelFolder, tokenizer: Any, judged: list[LabeledReply]
) -> None:
    def first_loss(replies: list[LabeledReply]) -> float:
        trainer = kto.build(tiny_folder, tokenizer, None, replies, SETTINGS, RunControl())
        trainer.controlled_train()
        return float(trainer.progress.losses[0])

    # Before the first step nothing has moved: each loss is half its label's weight (2 and 1).
    assert first_loss(judged) == pytest.approx((2 * 1.0 + 4 * 0.5) / 6, rel=1e-4)
    heavier = [*judged[:1], judged[1]._replace(weight=3.0), *judged[2:]]
    assert first_loss(heavier) == pytest.approx((2 * 1.0 + 4 * 0.5 + 2 * 0.5) / 6, rel=1e-4)
