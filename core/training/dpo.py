"""Direct preference optimization: make chosen replies likelier than rejected ones.

DPO (Rafailov et al., arXiv 2305.18290) with the loss of TRL's `DPOTrainer` for
`loss_type=["sigmoid", "sft"]`. The second term, the mean negative log-likelihood of the chosen
reply, keeps DPO from lowering both sides, a known failure (RPO, Pang et al., arXiv 2404.19733). As
in the other passes, both replies of a pair share one packed row, so their prompt is computed once.

The reference is the policy that the pass begins from, as DPO assumes; the rehearsal keeps it near
the base. With the base as the reference, pairs that SFT has taught already would have no gradient
left. Pairs whose chosen reply has gained more than enough over the base are left out instead: they
are learned. The reference never changes, so its log-probabilities are computed once, before the
first step.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.config import Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.library_logging import spare_collector
from core.training import lora
from core.training.exam import Examiner
from core.training.logprobs import base_reply_logps, reply_logits, reply_logps
from core.training.memory_budget import micro_batch_tokens
from core.training.micro_batches import Collator, index_dataset, micro_batch_size, packed_row
from core.training.rehearsal import RehearsalPlan
from core.training.result import Trained, train_and_examine
from core.training.run_control import RunControl
from core.training.trainer import ControlledTrainer, PassProgress, arguments, assemble
from data.tokenization import Sample
from store.errors import TuteeError
from store.i18n import _

Pair = tuple[Sample, Sample]
"""Chosen, rejected."""
Logratios = tuple[float, float]
"""Chosen, rejected: log-probability minus that under the base, in nats."""
_LEARNED_MARGIN = 3.0
"""Margin over the base, in units of 1 / beta, from which a pair counts as learned. Measured from
the base, DPO's gradient on it would be below 5 % of that on a new pair."""


class AlreadyLearned(TuteeError):
    """The adapter has learned everything that the pass would teach."""


def train(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    pairs: Sequence[Pair],
    held_out: Sequence[Pair],
    settings: Tuning,
    run_control: RunControl,
    examiner: Examiner | None = None,
    rehearsal: RehearsalPlan | None = None,
) -> Trained:
    """Train a LoRA adapter on `pairs`, continuing from `adapter` if one is given.

    Returns:
        The metrics hold how many pairs were learned already, and for `held_out` before and after,
        the implicit accuracy (the share of pairs whose chosen reply gained more over the base than
        the rejected one), which pairs these are, and the mean margin.

    Raises:
        Cancelled: `run_control` was cancelled.
        AlreadyLearned: no pair is left to learn.
        TuteeError: the loss became infinite or not a number.
    """
    trainer = build(folder, tokenizer, adapter, pairs, settings, run_control, rehearsal)
    base = base_reply_logps(trainer.model, held_out, run_control)
    before = logratios(trainer.model, held_out, base, run_control)
    trained = train_and_examine(trainer, examiner)
    after = logratios(trainer.model, held_out, base, run_control)
    metrics = {"pairs": len(pairs), "pairs_learned_already": len(pairs) - trainer.pairs}
    return replace(trained, metrics=metrics | _metrics(before, after))


def build(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    pairs: Sequence[Pair],
    settings: Tuning,
    run_control: RunControl,
    rehearsal: RehearsalPlan | None = None,
) -> Any:
    """Build the trainer, ready for `controlled_train`.

    Raises:
        AlreadyLearned: no pair is left to learn.
    """
    classes = _classes()
    base = load_model(folder)
    model = lora.policy(base, adapter, settings)
    reference = reply_logps(model, pairs, run_control)
    if adapter:
        enough = _LEARNED_MARGIN / settings.preference.beta
        base_logps = base_reply_logps(model, pairs, run_control)
        gained = [
            (chosen - rejected) - (base_chosen - base_rejected)
            for (chosen, rejected), (base_chosen, base_rejected) in zip(
                reference, base_logps, strict=True
            )
        ]
        open_ = [i for i, margin in enumerate(gained) if margin < enough]
        pairs, reference = [pairs[i] for i in open_], [reference[i] for i in open_]
        if not pairs:
            raise AlreadyLearned(_("Every pair is learned already."))
    micro_batch = micro_batch_size(pairs, settings.batch_size, micro_batch_tokens(folder))
    trainer = assemble(
        *classes,
        run_control,
        PassProgress("dpo", run_control),
        arguments(settings, micro_batch, settings.preference.learning_rate),
        {
            "beta": settings.preference.beta,
            "loss_type": ["sigmoid", "sft"],
            "loss_weights": [1.0, settings.preference.sft_weight],
        },
        model=model,
        data_collator=_collator(pairs, reference, base.dtype),
        train_dataset=index_dataset(len(pairs)),
        processing_class=tokenizer,
    )
    lora.drop_reference_copy(trainer.model)
    trainer.pairs = len(pairs)
    if rehearsal:
        trainer.rehearsal = rehearsal.begin(trainer.model, run_control)
    return trainer


def logratios(
    model: Any, pairs: Sequence[Pair], base: Sequence[tuple[float, ...]], run_control: RunControl
) -> list[Logratios]:
    """Return by how much `model` finds both sides of each pair likelier than the base, in nats."""
    return [
        (chosen - base_chosen, rejected - base_rejected)
        for (chosen, rejected), (base_chosen, base_rejected) in zip(
            reply_logps(model, pairs, run_control), base, strict=True
        )
    ]


def _metrics(before: Sequence[Logratios], after: Sequence[Logratios]) -> dict[str, Any]:
    if not after:
        return {}
    return {
        "holdout_pairs": len(after),
        "holdout_accuracy_before": _accuracy(before),
        "holdout_accuracy": _accuracy(after),
        "holdout_right_before": [chosen > rejected for chosen, rejected in before],
        "holdout_right": [chosen > rejected for chosen, rejected in after],
        "holdout_margin_before": _margin(before),
        "holdout_margin": _margin(after),
    }


def _accuracy(ratios: Sequence[Logratios]) -> float:
    return sum(chosen > rejected for chosen, rejected in ratios) / len(ratios)


def _margin(ratios: Sequence[Logratios]) -> float:
    return sum(chosen - rejected for chosen, rejected in ratios) / len(ratios)


def _collator(
    pairs: Sequence[Pair], reference: Sequence[tuple[float, ...]], dtype: Any
) -> Collator:
    """Collate packed rows whose samples alternate between chosen and rejected."""
    import torch

    def collate(rows: list[dict[str, int]]) -> dict[str, Any]:
        indices = [row["index"] for row in rows]
        row = packed_row([sample for index in indices for sample in pairs[index]], dtype)
        row["reference"] = torch.tensor([logp for index in indices for logp in reference[index]])
        return row

    return collate


@functools.cache
def _classes() -> tuple[Any, Any]:
    """Return trainer and config classes, defined on first use: importing TRL takes seconds."""
    import torch.nn.functional as F  # noqa: N812
    from trl import DPOConfig, DPOTrainer

    class PackedDPOTrainer(ControlledTrainer, DPOTrainer):
        def compute_loss(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> Any:
            replies = reply_logits(self.accelerator.unwrap_model(model), inputs)
            logps = replies.logps()
            gained = replies.by_reply(logps) - inputs["reference"]
            preference = -F.logsigmoid(self.beta * (gained[0::2] - gained[1::2])).mean()
            imitation = -logps[replies.owners % 2 == 0].mean()
            self.progress.trained_tokens += len(replies.targets)
            return self.loss_weights[0] * preference + self.loss_weights[1] * imitation

    spare_collector()
    return PackedDPOTrainer, DPOConfig
