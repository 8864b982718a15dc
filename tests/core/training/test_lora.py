"""What the passes have in common: where the adapter's dropout works."""

from typing import Any

import torch

from core.config import Tuning
from core.models.folder import ModelFolder
from core.training import dpo, kto, reward, rloo, sft
from core.training.run_control import RunControl
from data.tokenization import Sample


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
