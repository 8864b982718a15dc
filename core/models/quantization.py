"""Decide whether a base is kept in 4 bits: QLoRA (arXiv 2305.14314) with bitsandbytes.

NF4 with double quantization takes about 0.57 bytes per weight instead of 2, so a graphics card fits
a base about three times as large, in the chat and in training; LoRA itself stays in 32 bits. It
costs some quality and speed, so `auto` uses it only on a card too small for two copies in 16 bits
(one to chat with, one to train). On a CPU it is far slower than packed integers, so it is used
there only if the settings ask for it.

Left out on purpose: other quantized weights (GPTQ, AWQ), which cannot be trained on here.
"""

from dataclasses import dataclass
from typing import Any

from core.config import FourBit
from core.models.catalog import memory
from core.runtime.device import device
from core.runtime.library_logging import hush
from store.i18n import _

BYTES = 0.57
"""Bytes per weight in NF4 with double quantization; embeddings stay in 16 bits."""
_SHARE = 0.9
"""Share of a card's memory that can be relied on."""


@dataclass(frozen=True)
class Choice:
    four_bit: bool
    why: str
    """The reason for the user, as the end of a sentence."""


def choose(wanted: FourBit, weights: int, card: int | None) -> Choice:
    """Decide whether to keep a base in 4 bits.

    Args:
        weights: Number of parameters of the base.
        card: Memory of the graphics card in bytes; None without one.
    """
    if device() == "mps":
        return Choice(False, _("bitsandbytes does not run on a Mac's card"))
    if wanted != "auto":
        return Choice(wanted == "always", _("as the settings say"))
    if card is None:
        return Choice(False, _("on a processor 4 bits are far slower"))
    need = memory(weights, 2)
    why = _("twice in 16 bits it takes {need:.1f} GB, and the card has {card:.1f} GB")
    return Choice(need > _SHARE * card, why.format(need=need / 1e9, card=card / 1e9))


def card() -> int | None:
    """Return the total memory of the graphics card in bytes; None without one."""
    import torch

    return int(torch.cuda.mem_get_info()[1]) if device() == "cuda" else None


def options() -> dict[str, Any]:
    """Return the `from_pretrained` kwargs for 4-bit loading."""
    hush()
    import torch
    from transformers import BitsAndBytesConfig

    return {
        "dtype": torch.bfloat16,  # TRL keeps the trained weights in it, too
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            # Heads are small, and layers that are trained whole cannot be quantized.
            llm_int8_skip_modules=["lm_head", "score"],
        ),
        "device_map": {"": 0 if device() == "cuda" else "cpu"},
    }


def settled(model: Any) -> Any:
    """Make `model` safe for alternating inference and training.

    On some CPUs bitsandbytes repacks the weights at the first forward pass, into a form that cannot
    be trained on.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model
