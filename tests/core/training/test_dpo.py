"""DPO must learn what TRL's own trainer learns, and nothing that is learned already."""

from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import PreferenceTuning, Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.scheduler import Cancelled
from core.training import dpo, lora
from core.training.logprobs import base_reply_logps, reply_logps
from core.training.run_control import RunControl
from data.tokenization import Sample
from tests.core.training.conftest import plain_arguments, trainable

SETTINGS = Tuning(epochs=5, batch_size=6, preference=PreferenceTuning(learning_rate=5e-3))


def test_the_chosen_replies_gain_on_the_rejected_ones(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[dpo.Pair]
) -> None:
    metrics = dpo.train(tiny_folder, tokenizer, None, pairs, pairs, SETTINGS, RunControl()).metrics
    assert metrics["holdout_pairs"] == len(pairs)
    assert metrics["holdout_margin_before"] == pytest.approx(0, abs=1e-4)
    assert metrics["holdout_margin"] > 1
    assert metrics["holdout_accuracy"] == 1


def test_it_learns_what_trls_trainer_learns(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[dpo.Pair], tmp_path: Path
) -> None:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    ours = trainable(
        dpo.train(tiny_folder, tokenizer, None, pairs, [], SETTINGS, RunControl()).model
    )
    rows = [
        {
            "prompt_ids": list(chosen.input_ids[: chosen.reply_start]),
            "chosen_ids": list(chosen.input_ids[chosen.reply_start :]),
            "rejected_ids": list(rejected.input_ids[rejected.reply_start :]),
        }
        for chosen, rejected in pairs
    ]

    class Prepared(DPOTrainer):
        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset

    plain = Prepared(
        model=load_model(tiny_folder),
        peft_config=lora.with_lora(
            load_model(tiny_folder), SETTINGS, task_type="CAUSAL_LM"
        ).peft_config["default"],
        args=DPOConfig(
            **plain_arguments(tmp_path, 5, 5e-3, SETTINGS.seed),
            beta=SETTINGS.preference.beta,
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, SETTINGS.preference.sft_weight],
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    # The same start: TRL makes the adapter itself, from another point of the random sequence.
    start = trainable(lora.with_lora(load_model(tiny_folder), SETTINGS, task_type="CAUSAL_LM"))
    for name, weight in plain.model.named_parameters():
        if name in start:
            weight.data.copy_(start[name])
    plain.train()
    theirs = trainable(plain.model)
    assert ours.keys() == theirs.keys()
    assert any((weight - start[name]).abs().max() > 1e-3 for name, weight in ours.items())
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=2e-2, atol=2e-4)


def test_the_reference_is_the_policy_it_begins_from(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[dpo.Pair], started: Path
) -> None:
    trainer = dpo.build(tiny_folder, tokenizer, started, pairs, SETTINGS, RunControl())
    assert list(trainer.model.peft_config) == ["default"]
    row = trainer.data_collator([{"index": 0}])
    begun = reply_logps(trainer.model, pairs[:1], RunControl())[0]
    assert row["reference"].tolist() == pytest.approx(begun, abs=1e-3)
    alone = reply_logps(load_model(tiny_folder), pairs[:1], RunControl())[0]
    assert begun != pytest.approx(alone, abs=1e-1)


def test_pairs_that_are_learned_already_are_left_out(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[dpo.Pair], tmp_path: Path
) -> None:
    known = pairs[:2]
    rejected, chosen = known[0]
    long = SETTINGS.model_copy(update={"epochs": 60})
    dpo.train(tiny_folder, tokenizer, None, known, [], long, RunControl()).save(tmp_path)

    def again(pairs: list[dpo.Pair]) -> dict[str, Any]:
        rest: Any = (pairs, [], SETTINGS, RunControl())
        return dpo.train(tiny_folder, tokenizer, tmp_path, *rest).metrics

    assert again([*known, (chosen, rejected)]) == {"pairs": 3, "pairs_learned_already": 2}
    with pytest.raises(dpo.AlreadyLearned):
        again(known)


def test_only_the_reply_counts(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[dpo.Pair]
) -> None:
    model = load_model(tiny_folder)
    for group, found in zip(pairs, reply_logps(model, pairs, RunControl()), strict=True):
        for sample, logp in zip(group, found, strict=True):
            ids = torch.tensor([sample.input_ids])
            with torch.inference_mode():
                logps = model(ids).logits.log_softmax(-1)[0, :-1]
            picked = logps.gather(-1, ids[0, 1:, None])[:, 0]
            assert logp == pytest.approx(picked[sample.reply_start - 1 :].sum().item(), rel=1e-4)


def test_what_is_saved_is_one_adapter(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[dpo.Pair], started: Path, tmp_path: Path
) -> None:
    trained = dpo.train(tiny_folder, tokenizer, started, pairs, [], SETTINGS, RunControl())
    trained.save(tmp_path / "v2")
    assert not [path.name for path in (tmp_path / "v2").iterdir() if path.is_dir()]
    base = base_reply_logps(trained.model, pairs, RunControl())
    assert base == reply_logps(load_model(tiny_folder), pairs, RunControl())


def test_cancelling_stops_it_before_the_first_step(
    tiny_folder: ModelFolder, tokenizer: Any, pairs: list[tuple[Sample, Sample]]
) -> None:
    run_control = RunControl()
    run_control.cancel()
    with pytest.raises(Cancelled):
        dpo.train(tiny_folder, tokenizer, None, pairs, [], SETTINGS, run_control)
