"""KTO: learn from thumbs, each reply judged for itself.

Kahneman–Tversky optimisation (arXiv 2402.01306) with the loss of TRL's `KTOTrainer`: a liked reply
gains until it is clearly likelier than under the base, a disliked one loses, both relative to how
much the policy has moved in general. That movement, the KL term, is estimated as TRL and the paper
do, from mismatched pairs: each prompt of a micro-batch with the reply of another one.

The two labels are weighted so that neither outweighs the other (the paper's equation 8), because
people press one thumb more often. The reference is the base, and what it says of the replies is
computed once.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from core.config import Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.library_logging import spare_collector
from core.training import lora
from core.training.exam import Examiner
from core.training.logprobs import measure, measure_base, of_replies
from core.training.memory_budget import micro_batch_tokens
from core.training.micro_batches import index_dataset, micro_batch_size, packed_row
from core.training.result import Trained, learn
from core.training.run_control import RunControl
from core.training.trainer import ControlledTrainer, Progress, arguments, assemble
from data.tokenization import Sample


class Judged(NamedTuple):
    sample: Sample
    label: bool
    """True for a liked reply."""


def train(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    judged: Sequence[Judged],
    held_out: Sequence[Judged],
    settings: Tuning,
    run_control: RunControl,
    examiner: Examiner | None = None,
) -> Trained:
    """Train a LoRA adapter on `judged`, going on from `adapter` where one is given.

    Returns:
        Where `held_out` has both labels its metrics hold the margin before and after: how many nats
        the liked replies gained on the base more than the disliked ones.

    Raises:
        Cancelled: `run_control` was cancelled.
        TuteeError: the loss became infinite or not a number.
    """
    trainer = build(folder, tokenizer, adapter, judged, settings, run_control)
    groups = [(j.sample,) for j in held_out]
    base = measure_base(trainer.model, groups, run_control)

    def margin() -> float:
        policy = measure(trainer.model, groups, run_control)
        gained = [p - b for (p,), (b,) in zip(policy, base, strict=True)]
        liked = [g for g, j in zip(gained, held_out, strict=True) if j.label]
        disliked = [g for g, j in zip(gained, held_out, strict=True) if not j.label]
        return fmean(liked) - fmean(disliked)

    if len({j.label for j in held_out}) < 2:
        return learn(trainer, examiner)
    before = margin()
    trained = learn(trainer, examiner)
    return replace(
        trained,
        metrics={
            "holdout_thumbs": len(held_out),
            "holdout_margin_before": before,
            "holdout_margin": margin(),
        },
    )


def build(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    judged: Sequence[Judged],
    settings: Tuning,
    run_control: RunControl,
) -> Any:
    """The trainer, ready for `controlled_train`."""
    trainer_class, config_class = _classes()
    base = load_model(folder)
    model = lora.policy(base, adapter, settings)
    likes = sum(j.label for j in judged)
    dislikes = len(judged) - likes
    groups = [(j.sample,) for j in judged]
    micro_batch = micro_batch_size(groups, settings.batch_size, micro_batch_tokens(folder))
    trainer = assemble(
        trainer_class,
        config_class,
        run_control,
        Progress("kto", run_control),
        arguments(
            settings,
            # TRL refuses a micro-batch of one, which would have no other reply to mismatch.
            max(micro_batch, 2),
            settings.preference.learning_rate,
        ),
        {
            "beta": settings.preference.beta,
            "desirable_weight": max(1.0, dislikes / max(likes, 1)),
            "undesirable_weight": max(1.0, likes / max(dislikes, 1)),
        },
        model=model,
        data_collator=_collator(model, judged, run_control),
        train_dataset=index_dataset(len(judged)),
        processing_class=tokenizer,
    )
    lora.drop_copy(trainer.model)
    return trainer


def _collator(
    model: Any, judged: Sequence[Judged], run_control: RunControl
) -> Callable[[list[dict[str, int]]], dict[str, Any]]:
    """Packed rows of judged replies, each with the row of the same prompts and others' replies."""
    import torch

    samples = [j.sample for j in judged]
    others = [_mismatched(samples[i], samples[i - 1]) for i in range(len(samples))]
    reference = [logp for (logp,) in measure_base(model, [(s,) for s in samples], run_control)]
    reference_others = [
        logp for (logp,) in measure_base(model, [(s,) for s in others], run_control)
    ]

    def collate(rows: list[dict[str, int]]) -> dict[str, Any]:
        indices = [row["index"] for row in rows]
        return {
            **packed_row([samples[i] for i in indices], model.dtype),
            "label": torch.tensor([judged[i].label for i in indices]),
            "reference": torch.tensor([reference[i] for i in indices]),
            "mismatched": packed_row([others[i] for i in indices], model.dtype),
            "reference_mismatched": torch.tensor([reference_others[i] for i in indices]),
        }

    return collate


def _mismatched(one: Sample, other: Sample) -> Sample:
    """The prompt of `one` with the reply of `other`."""
    prompt = one.input_ids[: one.reply_start]
    return Sample((*prompt, *other.input_ids[other.reply_start :]), one.reply_start)


@functools.cache
def _classes() -> tuple[Any, Any]:
    """The trainer and its config, defined on first use: importing TRL takes seconds."""
    import torch
    from trl import KTOConfig, KTOTrainer

    class PackedKTOTrainer(ControlledTrainer, KTOTrainer):
        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            policy = self.accelerator.unwrap_model(model)
            with torch.no_grad():
                others = of_replies(policy, inputs["mismatched"])
                moved = others.by_reply(others.logps()) - inputs["reference_mismatched"]
                kl = moved.mean().clamp(min=0)
            scores = of_replies(policy, inputs)
            gained = scores.by_reply(scores.logps()) - inputs["reference"]
            liked = inputs["label"]
            losses = torch.where(
                liked,
                self.desirable_weight * (1 - torch.sigmoid(self.beta * (gained - kl))),
                self.undesirable_weight * (1 - torch.sigmoid(self.beta * (kl - gained))),
            )
            self.progress.trained_tokens += len(scores.targets)
            return losses.mean()

    spare_collector()
    return PackedKTOTrainer, KTOConfig
