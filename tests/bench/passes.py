"""One optimiser step of each pass on the same data: Tutee and TRL's own trainer.

TRL's trainers are given every advantage that their settings have on a CPU: float32, no gradient
checkpointing, the whole step in one padded batch, the base itself as the reference. Their rows are
tokenised beforehand, as Tutee's are. Whole steps are timed, rollouts and rewards included; the
first one warms up. SFT is in `tests.bench.steps`.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from core.config import RLTuning, Tuning
from core.models.folder import ModelFolder, find
from core.models.loading import load_model, load_tokenizer
from core.runtime.library_logging import hush
from core.training import dpo, kto, lora, reward, rloo
from core.training.rollout import Rollout
from core.training.run_control import RunControl
from data.tokenization import Sample
from store.paths import locate
from tests.bench import tone

STEPS, PAIRS = 4, 8
SETTINGS = Tuning(batch_size=PAIRS, epochs=STEPS, rl=RLTuning(steps=STEPS))
PROMPTS = 16

Built = tuple[Any, Any]
"""Tutee's trainer and TRL's."""


def run() -> list[dict[str, object]]:
    hush()
    folder = find("builtin", locate(None).cache, lambda event: None)
    tokenizer = load_tokenizer(folder)
    asked = tone.pairs(PAIRS)
    pairs = [tone.samples(tokenizer, pair) for pair in asked]
    prompts = [tone.prompt(tokenizer, pair) for pair in tone.pairs(PROMPTS)]
    builders: dict[str, Callable[[str], Built]] = {
        "DPO": lambda scratch: dpo_trainers(folder, tokenizer, pairs, scratch),
        "KTO": lambda scratch: kto_trainers(folder, tokenizer, pairs, scratch),
        "reward model": lambda scratch: reward_trainers(folder, tokenizer, pairs, scratch),
        "RLOO": lambda scratch: rl_trainers(folder, tokenizer, prompts, scratch),
    }
    rows: list[dict[str, object]] = []
    for name, build in builders.items():
        with tempfile.TemporaryDirectory() as scratch:
            tutee, trl = build(scratch)
            ours, theirs = timed(tutee, tutee.controlled_train), timed(trl, trl.train)
        rows.append(
            {
                "pass": name,
                "Tutee, a step": f"{statistics.median(ours):.2f} s",
                "range": f"{min(ours):.2f}-{max(ours):.2f}",
                "TRL, a step": f"{statistics.median(theirs):.2f} s",
                "its range": f"{min(theirs):.2f}-{max(theirs):.2f}",
                "of Tutee's": f"{statistics.median(theirs) / statistics.median(ours):.1f} x",
            }
        )
    return rows


def timed(trainer: Any, train: Callable[[], object]) -> list[float]:
    """Seconds of each optimiser step but the first."""
    from transformers import TrainerCallback

    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    trainer.add_callback(Clock)
    train()
    return [after - before for before, after in pairwise(ends)]


def dpo_trainers(
    folder: ModelFolder, tokenizer: Any, pairs: Sequence[dpo.Pair], scratch: str
) -> Built:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    rows = [
        {"prompt_ids": prompt(a), "chosen_ids": reply(a), "rejected_ids": reply(b)}
        for a, b in pairs
    ]
    plain = prepared(DPOTrainer)(
        model=policy(folder),
        args=DPOConfig(
            **plain_arguments(scratch),
            beta=SETTINGS.preference.beta,
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, SETTINGS.preference.sft_weight],
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    lora.drop_reference_copy(plain.model)
    return dpo.build(folder, tokenizer, None, pairs, SETTINGS, RunControl()), plain


def kto_trainers(
    folder: ModelFolder, tokenizer: Any, pairs: Sequence[dpo.Pair], scratch: str
) -> Built:
    from datasets import Dataset
    from trl import KTOConfig, KTOTrainer

    thumbs = [kto.LabeledReply(pair[side], side == 0) for pair in pairs for side in (0, 1)][:PAIRS]
    # TRL mismatches each prompt with the reply before it.
    rows = [
        {
            "prompt_ids": prompt(judged.sample),
            "completion_ids": reply(judged.sample),
            "KL_completion_ids": reply(thumbs[index - 1].sample),
            "label": judged.label,
        }
        for index, judged in enumerate(thumbs)
    ]
    plain = prepared(KTOTrainer)(
        model=policy(folder),
        args=KTOConfig(**plain_arguments(scratch), beta=SETTINGS.preference.beta),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    lora.drop_reference_copy(plain.model)
    return kto.build(folder, tokenizer, None, thumbs, SETTINGS, RunControl()), plain


def reward_trainers(
    folder: ModelFolder, tokenizer: Any, pairs: Sequence[dpo.Pair], scratch: str
) -> Built:
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    rows = [{"chosen_ids": list(a.input_ids), "rejected_ids": list(b.input_ids)} for a, b in pairs]
    base = AutoModelForSequenceClassification.from_pretrained(folder.path, num_labels=1)
    plain = prepared(RewardTrainer)(
        model=lora.with_lora(base, SETTINGS, task_type="SEQ_CLS", modules_to_save=["score"]),
        args=RewardConfig(**plain_arguments(scratch)),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    return reward.build(folder, tokenizer, None, pairs, SETTINGS, RunControl()), plain


def rl_trainers(
    folder: ModelFolder, tokenizer: Any, prompts: Sequence[rloo.Prompt], scratch: str
) -> Built:
    from datasets import Dataset
    from trl import RLOOConfig, RLOOTrainer

    replies = SETTINGS.rl.prompts * SETTINGS.rl.generations
    plain = RLOOTrainer(
        model=policy(folder),
        args=RLOOConfig(
            **{**plain_arguments(scratch), "per_device_train_batch_size": replies},
            max_steps=STEPS,
            num_generations=SETTINGS.rl.generations,
            max_completion_length=SETTINGS.rl.max_new_tokens,
            beta=SETTINGS.rl.beta,
            mask_truncated_completions=True,
        ),
        train_dataset=Dataset.from_list([{"prompt": tokenizer.decode(ids)} for ids in prompts]),
        processing_class=tokenizer,
        reward_funcs=lambda completions, **_: [float(len(text)) for text in completions],
    )
    lora.drop_reference_copy(plain.model)
    return rloo.build(folder, tokenizer, None, prompts, length, SETTINGS, RunControl()), plain


def length(rollouts: Sequence[Rollout]) -> list[float]:
    """A reward that costs nothing, so that the passes are compared and not the rewards."""
    return [float(len(rollout.text)) for rollout in rollouts]


def policy(folder: ModelFolder) -> Any:
    return lora.with_lora(load_model(folder), SETTINGS, task_type="CAUSAL_LM")


def prompt(sample: Sample) -> list[int]:
    return list(sample.input_ids[: sample.reply_start])


def reply(sample: Sample) -> list[int]:
    return list(sample.input_ids[sample.reply_start :])


def prepared(trainer: Any) -> Any:
    """`trainer` for rows that are tokenised already."""

    class Prepared(trainer):
        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset

    return Prepared


def plain_arguments(scratch: str) -> dict[str, Any]:
    return {
        "output_dir": scratch,
        "per_device_train_batch_size": PAIRS,
        "num_train_epochs": STEPS,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
    }
