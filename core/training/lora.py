"""The model a pass trains: its own copy of the base, with LoRA on all linear layers for text.

Each pass builds a fresh model and drops it at its end, so nothing a trainer leaves on a model
(patched forwards, train mode, stray adapters) can reach the chat or the next pass.

LoRA: Hu et al., arXiv 2106.09685. The default of rank 16 and alpha 32 on all linear layers is
common practice for small data; see also "LoRA Without Regret" (Schulman et al., 2025).
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.adapters import peft_files
from core.config import Tuning
from core.training import packing_check
from core.training.bf16_base import use_bf16_base
from core.training.fused_lora import fuse
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from peft import PeftModel

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
FUSED_TARGETS = ["qkv_proj", "gate_up_proj"]
"""Fused layers that some families (Phi) have in place of several of `TARGETS`."""


def with_lora(model: Any, settings: Tuning, **extra: Any) -> "PeftModel":
    """Return `model` with a new LoRA adapter, initialized from the settings' seed.

    Args:
        extra: Further fields of PEFT's `LoraConfig`, such as the task type.

    Raises:
        TuteeError: the model has no layer that LoRA can be put on.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    set_seed(settings.seed)
    there = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    targets = [name for name in (*TARGETS, *FUSED_TARGETS) if name in there]
    if not targets:
        raise TuteeError(
            _("Models of the family {family} have no layers that Tutee can add LoRA to.").format(
                family=model.config.model_type
            ),
            _("Choose another base (Ctrl+O); every model on the list can be trained."),
        )
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        exclude_modules=_non_text_layers(model, targets),
        **extra,
    )
    return get_peft_model(model, config)


def _non_text_layers(model: Any, targets: Sequence[str]) -> str | None:
    """Return a pattern for the layers that encode images or sound; None if there are none.

    No text passes through them, so an adapter there would never learn.
    """
    text = model.get_decoder()
    name = next(name for name, module in model.named_modules() if module is text)
    inside = f"{name}." if name else ""
    if all(
        found.startswith(inside)
        for found, _ in model.named_modules()
        if found.rpartition(".")[2] in targets
    ):
        return None
    return rf"(?!{re.escape(inside)}).*"


def policy(model: Any, adapter: Path | None, settings: Tuning) -> "PeftModel":
    """Return `model` with a trainable adapter: the one saved in `adapter`, or a new one.

    Raises:
        TuteeError: the model cannot be trained.
    """
    from peft import PeftModel

    packing_check.require_separate_samples(model)
    if adapter is None:
        policy = with_lora(model, settings, task_type="CAUSAL_LM")
    else:
        policy = PeftModel.from_pretrained(model, adapter, is_trainable=True)
    use_bf16_base(policy)
    fuse(policy)
    return policy


def continued(settings: Tuning, adapter: Path | None) -> Tuning:
    """Return `settings` with the rank, alpha and dropout that the adapter saved in `adapter` has,
    and keeps when it is trained further; `settings` unchanged if there is none.

    Raises:
        TuteeError: the adapter's config cannot be read.
    """
    if adapter is None:
        return settings
    config = peft_files.read_config(adapter)
    saved = {"rank": "r", "alpha": "lora_alpha", "dropout": "lora_dropout"}
    kept = {name: config[key] for name, key in saved.items() if key in config}
    return settings.model_copy(update=kept)


def drop_reference_copy(model: Any) -> None:
    """Remove the reference copy of a continued adapter that TRL's preference trainers make.

    The reference here is always the base, with the adapter disabled: relative to a copy, the drift
    of one round would become the starting point of the next.
    """
    if "ref" in model.peft_config:
        model.delete_adapter("ref")
