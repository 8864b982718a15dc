"""KTO: learn from thumbs, each reply labeled on its own.

Kahneman–Tversky optimization (Ethayarajh et al., arXiv 2402.01306) with the loss of TRL's
`KTOTrainer`: a liked reply is raised until it is clearly likelier than under the base, a disliked
one is lowered, both relative to how far the policy has moved in general. That movement, the KL
term, is estimated as in TRL and the paper, from mismatched pairs: each prompt with the reply to
another one of its micro-batch. Replies come in an order that mixes the labels
(`core.training.interleaving`).

The two labels are weighted so that neither outweighs the other (equation 8 of the paper), because
users press one thumb more often. A reply can weigh more on its own account; that does not enter the
balance of the labels, or the liked replies would gain the same weight. The reference is the base;
its log-probabilities of the replies are computed once, those of the mismatched pairs, which differ
in each epoch, in each step.
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
from core.training.interleaving import InterleavedSampler
from core.training.logprobs import base_reply_logps, reply_logits, reply_logps
from core.training.memory_budget import micro_batch_tokens
from core.training.micro_batches import (
    KTO_LEAST,
    Collator,
    index_dataset,
    micro_batch_size,
    packed_row,
)
from core.training.rehearsal import RehearsalPlan
from core.training.result import Trained, train_and_examine
from core.training.run_control import RunControl
from core.training.trainer import ControlledTrainer, PassProgress, arguments, assemble
from data.tokenization import Sample

HARM_WEIGHT = 2.0
"""Weight of a reply that was disliked as harmful. One such reply costs more than one that is merely
wrong or dull, and it is rare; above 2, a single thumb would outweigh the rest of its step."""


class LabeledReply(NamedTuple):
    sample: Sample
    label: bool
    """True for a liked reply."""
    weight: float = 1.0
    """Factor of its loss."""


def train(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    replies: Sequence[LabeledReply],
    held_out: Sequence[LabeledReply],
    settings: Tuning,
    run_control: RunControl,
    examiner: Examiner | None = None,
    rehearsal: RehearsalPlan | None = None,
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
    trainer = build(folder, tokenizer, adapter, replies, settings, run_control, rehearsal)
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
    rehearsal: RehearsalPlan | None = None,
) -> Any:
    """Build the trainer, ready for `controlled_train`."""
    classes = _classes()
    base = load_model(folder)
    model = lora.policy(base, adapter, settings)
    settings = with_minimum_batch(settings)
    likes = sum(j.label for j in replies)
    dislikes = len(replies) - likes
    groups = [(j.sample,) for j in replies]
    micro_batch = micro_batch_size(
        groups, settings.batch_size, micro_batch_tokens(folder), KTO_LEAST
    )
    trainer = assemble(
        *classes,
        run_control,
        PassProgress("kto", run_control),
        arguments(settings, micro_batch, settings.preference.learning_rate),
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
    trainer.sampler = InterleavedSampler([j.label for j in replies], settings.seed)
    if rehearsal:
        trainer.rehearsal = rehearsal.begin(trainer.model, run_control)
    return trainer


def with_minimum_batch(settings: Tuning) -> Tuning:
    """Return `settings` with at least as many replies in a step as KTO needs."""
    return settings.model_copy(update={"batch_size": max(settings.batch_size, KTO_LEAST)})


def _collator(model: Any, replies: Sequence[LabeledReply], run_control: RunControl) -> Collator:
    """Collate packed rows of labeled replies, each with a row of mismatched ones, if any exist."""
    import torch

    samples = [j.sample for j in replies]
    reference = [logp for (logp,) in base_reply_logps(model, [(s,) for s in samples], run_control)]

    def collate(rows: list[dict[str, int]]) -> dict[str, Any]:
        indices = [row["index"] for row in rows]
        others = mismatched(samples, indices)
        return {
            **packed_row([samples[i] for i in indices], model.dtype),
            "label": torch.tensor([replies[i].label for i in indices]),
            "weight": torch.tensor([replies[i].weight for i in indices]),
            "reference": torch.tensor([reference[i] for i in indices]),
            **({"mismatched": packed_row(others, model.dtype)} if others else {}),
        }

    return collate


def mismatched(samples: Sequence[Sample], batch: Sequence[int]) -> list[Sample]:
    """Return the prompt of each sample of a micro-batch with the reply to another prompt.

    As in TRL, the replies are those of the micro-batch, moved on by one. A reply to the same prompt
    would be no mismatch, so it is passed over; where all are, the reply comes from the other
    samples.

    Args:
        batch: Indices of the micro-batch in `samples`.

    Returns:
        One sample for each index; none if all samples have the same prompt.
    """
    found = []
    for place, index in enumerate(batch):
        prompt = _prompt(samples[index])
        earlier, later = batch[:place], batch[place + 1 :]
        rest = range(index - 1, index - len(samples), -1)  # negative ones count from the end
        others = (samples[i] for i in (*reversed(earlier), *reversed(later), *rest))
        other = next((sample for sample in others if _prompt(sample) != prompt), None)
        if other is not None:
            found.append(Sample((*prompt, *other.input_ids[other.reply_start :]), len(prompt)))
    return found


def _prompt(sample: Sample) -> tuple[int, ...]:
    return sample.input_ids[: sample.reply_start]


def _logps(model: Any, row: dict[str, Any]) -> Any:
    replies = reply_logits(model, row)
    return replies.by_reply(replies.logps())


@functools.cache
def _classes() -> tuple[Any, Any]:
    """Return trainer and config classes, defined on first use: importing TRL takes seconds."""
    import torch
    from trl import KTOConfig, KTOTrainer

    class PackedKTOTrainer(ControlledTrainer, KTOTrainer):
        def compute_loss(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> Any:
            policy = self.accelerator.unwrap_model(model)
            kl = self.kl(policy, inputs["mismatched"]) if "mismatched" in inputs else 0.0
            replies = reply_logits(policy, inputs)
            gained = replies.by_reply(replies.logps()) - inputs["reference"]
            liked = inputs["label"]
            losses = torch.where(
                liked,
                self.desirable_weight * (1 - torch.sigmoid(self.beta * (gained - kl))),
                self.undesirable_weight * (1 - torch.sigmoid(self.beta * (kl - gained))),
            )
            self.progress.trained_tokens += len(replies.targets)
            return (inputs["weight"] * losses).mean()

        @torch.no_grad()
        def kl(self, policy: Any, mismatched: dict[str, Any]) -> Any:
            """Return by how many nats the policy has moved from the base, at least 0."""
            moved = _logps(policy, mismatched)
            with policy.disable_adapter():
                moved -= _logps(policy, mismatched)
            return moved.mean().clamp(min=0)

        def _get_train_sampler(self, *_: Any, **__: Any) -> InterleavedSampler:
            return self.sampler

    spare_collector()
    return PackedKTOTrainer, KTOConfig
