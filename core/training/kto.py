"""KTO: learn from thumbs, each reply labeled on its own.

Kahneman–Tversky optimization (Ethayarajh et al., arXiv 2402.01306) with the loss of TRL's
`KTOTrainer`: a liked reply is raised until it is clearly likelier than under the base, a disliked
one is lowered, both relative to how far the policy has moved in general. That movement, the KL
term, is estimated as in TRL and the paper, from mismatched pairs: each prompt with the reply to
another one.

The two labels are weighted so that neither outweighs the other (equation 8 of the paper), because
users press one thumb more often. The reference is the base; its log-probabilities are computed
once.
"""

import functools
from collections.abc import Sequence
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
from core.training.logprobs import base_reply_logps, reply_logits, reply_logps
from core.training.memory_budget import micro_batch_tokens
from core.training.micro_batches import Collator, index_dataset, micro_batch_size, packed_row
from core.training.result import Trained, train_and_examine
from core.training.run_control import RunControl
from core.training.trainer import ControlledTrainer, PassProgress, arguments, assemble
from data.tokenization import Sample


class LabeledReply(NamedTuple):
    sample: Sample
    label: bool
    """True for a liked reply."""


def train(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    replies: Sequence[LabeledReply],
    held_out: Sequence[LabeledReply],
    settings: Tuning,
    run_control: RunControl,
    examiner: Examiner | None = None,
) -> Trained:
    """Train a LoRA adapter on `replies`, continuing from `adapter` if one is given.

    Returns:
        If `held_out` has both labels, the metrics hold the margin before and after: by how many
        nats the liked replies gained more over the base than the disliked ones; and the gain of
        each reply, with the sign turned if it is disliked.

    Raises:
        Cancelled: `run_control` was cancelled.
        TuteeError: the loss became infinite or not a number.
    """
    trainer = build(folder, tokenizer, adapter, replies, settings, run_control)
    groups = [(j.sample,) for j in held_out]
    base = base_reply_logps(trainer.model, groups, run_control)

    def gains() -> list[float]:
        """By how many nats each reply gained over the base, or lost if it is disliked."""
        policy = reply_logps(trainer.model, groups, run_control)
        gained = (p - b for (p,), (b,) in zip(policy, base, strict=True))
        return [g if j.label else -g for g, j in zip(gained, held_out, strict=True)]

    def margin(gains: Sequence[float]) -> float:
        sides = list(zip(gains, held_out, strict=True))
        by_label = {label: [g for g, j in sides if j.label == label] for label in (True, False)}
        return sum(map(fmean, by_label.values()))

    if len({j.label for j in held_out}) < 2:
        return train_and_examine(trainer, examiner)
    before = gains()
    trained = train_and_examine(trainer, examiner)
    after = gains()
    return replace(
        trained,
        metrics={
            "holdout_thumbs": len(held_out),
            "holdout_margin_before": margin(before),
            "holdout_margin": margin(after),
            "holdout_gains_before": before,
            "holdout_gains": after,
        },
    )


def build(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    replies: Sequence[LabeledReply],
    settings: Tuning,
    run_control: RunControl,
) -> Any:
    """Build the trainer, ready for `controlled_train`."""
    classes = _classes()
    base = load_model(folder)
    model = lora.policy(base, adapter, settings)
    likes = sum(j.label for j in replies)
    dislikes = len(replies) - likes
    groups = [(j.sample,) for j in replies]
    micro_batch = micro_batch_size(groups, settings.batch_size, micro_batch_tokens(folder))
    trainer = assemble(
        *classes,
        run_control,
        PassProgress("kto", run_control),
        # TRL refuses a micro-batch of one, which has no other reply to mismatch.
        arguments(settings, max(micro_batch, 2), settings.preference.learning_rate),
        {
            "beta": settings.preference.beta,
            "desirable_weight": max(1.0, dislikes / max(likes, 1)),
            "undesirable_weight": max(1.0, likes / max(dislikes, 1)),
        },
        model=model,
        data_collator=_collator(model, replies, run_control),
        train_dataset=index_dataset(len(replies)),
        processing_class=tokenizer,
    )
    lora.drop_reference_copy(trainer.model)
    return trainer


def _collator(model: Any, replies: Sequence[LabeledReply], run_control: RunControl) -> Collator:
    """Collate packed rows of labeled replies, each with a row of mismatched ones."""
    import torch

    samples = [j.sample for j in replies]
    others = [_mismatched(samples[i], samples[i - 1]) for i in range(len(samples))]
    reference, reference_others = (
        [logp for (logp,) in base_reply_logps(model, [(s,) for s in of], run_control)]
        for of in (samples, others)
    )

    def collate(rows: list[dict[str, int]]) -> dict[str, Any]:
        indices = [row["index"] for row in rows]
        return {
            **packed_row([samples[i] for i in indices], model.dtype),
            "label": torch.tensor([replies[i].label for i in indices]),
            "reference": torch.tensor([reference[i] for i in indices]),
            "mismatched": packed_row([others[i] for i in indices], model.dtype),
            "reference_mismatched": torch.tensor([reference_others[i] for i in indices]),
        }

    return collate


def _mismatched(one: Sample, other: Sample) -> Sample:
    """Return the prompt of `one` with the reply of `other`."""
    prompt = one.input_ids[: one.reply_start]
    return Sample((*prompt, *other.input_ids[other.reply_start :]), one.reply_start)


@functools.cache
def _classes() -> tuple[Any, Any]:
    """Return trainer and config classes, defined on first use: importing TRL takes seconds."""
    import torch
    from trl import KTOConfig, KTOTrainer

    class PackedKTOTrainer(ControlledTrainer, KTOTrainer):
        def compute_loss(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> Any:
            policy = self.accelerator.unwrap_model(model)
            with torch.no_grad():
                others = reply_logits(policy, inputs["mismatched"])
                moved = others.by_reply(others.logps()) - inputs["reference_mismatched"]
                kl = moved.mean().clamp(min=0)
            replies = reply_logits(policy, inputs)
            gained = replies.by_reply(replies.logps()) - inputs["reference"]
            liked = inputs["label"]
            losses = torch.where(
                liked,
                self.desirable_weight * (1 - torch.sigmoid(self.beta * (gained - kl))),
                self.undesirable_weight * (1 - torch.sigmoid(self.beta * (kl - gained))),
            )
            self.progress.trained_tokens += len(replies.targets)
            return losses.mean()

    spare_collector()
    return PackedKTOTrainer, KTOConfig
