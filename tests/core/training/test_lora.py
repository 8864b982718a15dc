"""What the passes have in common: where dropout works, and the shape of a continued adapter."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from core.config import Tuning
from core.models.folder import ModelFolder
from core.training import dpo, kto, lora, reward, rloo, sft
from core.training.run_control import RunControl
from data.tokenization import Sample
from store.errors import TuteeError


def test_only_imitation_has_dropout(
    tiny_folder: ModelFolder,
    tokenizer: Any,
    samples: list[Sample],
    pairs: list[tuple[Sample, Sample]],
) -> None:
    given, rest = (tiny_folder, tokenizer, None), (Tuning(dropout=0.5), RunControl())
    judged = [kto.LabeledReply(sample, True) for sample in samples]
    prompts = [sample.input_ids[: sample.reply_start] for sample in samples]
    trainers = {
        "sft": sft.build(*given, samples, *rest),
        "kto": kto.build(*given, judged, *rest),
        "dpo": dpo.build(*given, pairs, *rest),
        "reward": reward.build(*given, pairs, *rest),
        "rl": rloo.build(*given, prompts, lambda rollouts: [0.0] * len(rollouts), *rest),
    }
    active = {
        name
        for name, trainer in trainers.items()
        for module in trainer.model.modules()
        if isinstance(module, torch.nn.Dropout) and module.p
    }
    assert active == {"sft"}


def test_a_saved_adapter_overrides_the_shape_of_the_settings(tmp_path: Path) -> None:
    settings = Tuning(rank=64, alpha=128, dropout=0.1, epochs=7)
    assert lora.continued(settings, None) == settings
    with pytest.raises(TuteeError, match="could not be loaded"):
        lora.continued(settings, tmp_path)
    saved = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0}
    (tmp_path / "adapter_config.json").write_text(json.dumps(saved), encoding="utf-8")
    assert lora.continued(settings, tmp_path) == Tuning(rank=8, alpha=16, dropout=0.0, epochs=7)
