"""An adapter folder as PEFT writes it: its config, and the error for one that cannot be read."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import json_file
from store.errors import TuteeError
from store.i18n import _

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MAX_RANK = 8192
"""No real adapter comes near it, and PEFT would fill the memory for a larger one."""
MAX_ALPHA = 1_000_000

_HARMLESS = {
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "lora_alpha",
    "lora_dropout",
    "lora_ga_config",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_rslora",
}
"""PEFT settings that leave a LoRA one pair A, B per weight matrix. Any other that is set, also one
of a later PEFT, may mean more."""
_DEFAULT = 8
"""PEFT's rank and alpha where a config names none."""
_ADDED = (None, True, False, "gaussian", "eva", "orthogonal")
"""Initializations (`init_lora_weights`) that leave the base as it is; others move a part of its
weights into A and B, and PEFT takes that part out of the base again whenever it loads them."""
_PAIR = re.compile(r".*\.layers\.\d+\..+\.lora_[AB]\.weight")


def is_plain(directory: Path) -> bool:
    """Whether the adapter in `directory` is plain LoRA: one pair A, B per matrix of some layers,
    beside the base's own weights.

    Raises:
        TuteeError: there is no adapter, or it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    settings = read_config(directory)
    if (
        settings.get("peft_type") != "LORA"
        or settings.get("bias") != "none"
        or not keeps_base(settings)
        or any(value for name, value in settings.items() if name not in _HARMLESS)
    ):
        return False
    try:
        with safe_open(directory / WEIGHTS, framework="numpy") as file:
            return all(map(_PAIR.fullmatch, file.keys()))
    except (OSError, SafetensorError) as error:
        raise unreadable(directory, error) from error


def keeps_base(settings: Mapping[str, Any]) -> bool:
    """Whether the adapter with this config leaves the base's weights as they are."""
    return settings.get("init_lora_weights") in _ADDED


def can_merge(tuned: Any) -> bool:
    """Whether the LoRA of the PEFT model `tuned` can be merged into its base.

    The base has no place for a change of the embedding or the head alone where they are one matrix,
    nor for a bias of layers without one.
    """
    model = tuned.get_base_model()
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    tied = model.config.get_text_config().tie_word_embeddings
    on_tied = tied and any(hasattr(end, "lora_A") for end in ends)
    return not on_tied and not any(config.lora_bias for config in tuned.peft_config.values())


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
    """Return the PEFT config of the adapter in `directory`, with a usable rank and alpha.

    Raises:
        TuteeError: it is missing or cannot be used.
    """
    try:
        settings = json_file.read(directory / CONFIG)
    except TuteeError as error:
        raise unreadable(directory, error) from error
    if settings is None:
        raise unreadable(directory, FileNotFoundError(_("it has no {file}").format(file=CONFIG)))
    if problem := config_problem(settings):
        raise unreadable(directory, ValueError(problem))
    return {"r": _DEFAULT, "lora_alpha": _DEFAULT, **settings}


def config_problem(settings: Mapping[str, Any]) -> str:
    """Return what is wrong with the numbers in a LoRA's config; empty if nothing is."""
    numbers = {"r": settings.get("r", _DEFAULT)}
    numbers["lora_alpha"] = settings.get("lora_alpha", _DEFAULT)
    for pattern in ("rank_pattern", "alpha_pattern"):
        values = settings.get(pattern) or {}
        if not isinstance(values, dict):
            return _("`{key}` is not a table").format(key=pattern)
        numbers |= {f"{pattern}.{name}": value for name, value in values.items()}
    for key, value in numbers.items():
        is_rank = key == "r" or key.startswith("rank_pattern")
        kinds = int if is_rank else int | float
        low, high = (1, MAX_RANK) if is_rank else (-MAX_ALPHA, MAX_ALPHA)
        # Neither NaN nor infinity lies between any two numbers.
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            return _("`{key}` must be a number from {low:,} to {high:,}, not {value}").format(
                key=key, low=low, high=high, value=json.dumps(value)[:40]
            )
    return ""
