"""The reward model must rank what it was shown, by the scores plain transformers would give."""

from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import RewardTuning, Tuning
from core.models.folder import ModelFolder
from core.runtime.scheduler import Cancelled
from core.training import reward
from core.training.micro_batches import packed_row
from core.training.run_control import RunControl

SETTINGS = Tuning(epochs=12, batch_size=6, reward=RewardTuning(learning_rate=5e-3))


def test_it_ranks_the_pairs_right_and_the_margin_grows(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[reward.Pair]
) -> None:
    trained = reward.train(tiny_folder, tokenizer, None, pairs, pairs, SETTINGS, RunControl())
    assert trained.losses[-1] < trained.losses[0]
    assert trained.metrics["train_accuracy"] == 1.0
    assert trained.metrics["holdout_accuracy"] == 1.0


def test_a_packed_score_is_the_score_of_the_sample_alone(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[reward.Pair]
) -> None:
    model = reward.build(tiny_folder, tokenizer, None, pairs, SETTINGS, RunControl()).model.eval()
    # The stop token is the pad token here, and plain pooling would step over it.
    model.get_base_model().config.pad_token_id = None
    samples = [s for pair in pairs for s in pair]
    with torch.inference_mode():
        packed = reward.score_row(model, packed_row(samples, torch.float32))
        alone = [model(torch.tensor([s.input_ids])).logits.item() for s in samples]
    torch.testing.assert_close(packed, torch.tensor(alone), rtol=1e-4, atol=1e-5)


def test_the_first_loss_is_bradley_terrys(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[reward.Pair]
) -> None:
    trainer = reward.build(tiny_folder, tokenizer, None, pairs, SETTINGS, RunControl())
    scores = torch.tensor(reward.score_pairs(trainer.model, pairs, RunControl()))
    chosen, rejected = scores[:, 0], scores[:, 1]
    by_hand = torch.log1p(torch.exp(rejected - chosen)).mean()
    centring = 0.01 * ((chosen + rejected) ** 2).mean()
    trainer.controlled_train()
    assert trainer.progress.losses[0] == pytest.approx((by_hand + centring).item(), rel=1e-4)


def test_it_goes_on_from_an_earlier_one(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[reward.Pair], tmp_path: Path
) -> None:
    first = reward.train(tiny_folder, tokenizer, None, pairs, [], SETTINGS, RunControl())
    first.save(tmp_path)
    before = reward.score_pairs(first.model, pairs, RunControl())
    trainer = reward.build(tiny_folder, tokenizer, tmp_path, pairs, SETTINGS, RunControl())
    assert reward.score_pairs(trainer.model, pairs, RunControl()) == pytest.approx(before, abs=1e-5)
    head = trainer.model.get_base_model().score
    kept = head.weight.detach().clone()
    trainer.controlled_train()
    assert not torch.equal(head.weight, kept)


def test_cancelling_stops_it(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[reward.Pair]
) -> None:
    run_control = RunControl()
    run_control.cancel()
    with pytest.raises(Cancelled):
        reward.train(tiny_folder, tokenizer, None, pairs, [], SETTINGS, run_control)
