"""An adapter folder as PEFT writes it: its config, and the error for one that cannot be read."""

import json
from pathlib import Path
from typing import Any

from store.errors import TuteeError
from store.i18n import _

_UNUSUAL = (
    "use_dora",
    "fan_in_fan_out",
    "modules_to_save",
    "layers_to_transform",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
    "alpha_pattern",
    "rank_pattern",
    "lora_bias",
    "use_qalora",
    "alora_invocation_tokens",
)
"""PEFT settings that make a LoRA more than one pair A, B per weight matrix."""


def is_plain(directory: Path) -> bool:
    """Whether the adapter in `directory` is plain LoRA: one pair A, B per weight matrix.

    Raises:
        TuteeError: there is no adapter.
    """
    settings = read_config(directory)
    return (
        settings.get("peft_type") == "LORA"
        and settings.get("bias") == "none"
        and not any(settings.get(name) for name in _UNUSUAL)
    )


def unreadable(directory: Path, error: Exception) -> TuteeError:
    """Return the error for an adapter that failed to load with `error`."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return TuteeError(
        _("The adapter in {folder} could not be loaded: {said}").format(
            folder=directory, said=said
        ),
        _("`tutee adapters` lists the others; `tutee adapters use base` goes back to the base."),
    )


def read_config(directory: Path) -> dict[str, Any]:
    """Return the PEFT config of the adapter in `directory`.

    Raises:
        TuteeError: it is missing or cannot be read.
    """
    try:
        found = json.loads((directory / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable(directory, error) from error
    return found if isinstance(found, dict) else {}
