"""Whether a base is kept in 4 bits, and why: QLoRA (arXiv 2305.14314) with bitsandbytes.

NF4 with double quantisation takes about 0.57 bytes a weight instead of 2, so that a graphics card
holds a base about three times as large, in the chat and in training; LoRA itself stays in 32 bits.
It costs a little quality and speed, so `auto` only does it on a card that would not hold the base
twice (once to chat with, once to train beside) in 16 bits. On a processor it is far slower than
whole numbers; there it is only done where the settings ask for it.

Left out on purpose: other kinds of quantised weights (GPTQ, AWQ), which nothing here can train on.
"""

from dataclasses import dataclass
from typing import Any

from core.config import FourBit
from core.models.catalog import memory
from core.runtime.device import device
from core.runtime.library_logging import hush
from store.i18n import _

BYTES = 0.57
"""A weight in NF4 with double quantisation; the embeddings stay in 16 bits."""
_SHARE = 0.9
"""Of a card's memory that may be counted on."""


@dataclass(frozen=True)
class Choice:
    """How the weights of a base are kept."""

    four_bit: bool
    why: str
    """For a person, as the end of a sentence."""


def choose(wanted: FourBit, weights: int, card: int | None) -> Choice:
    """Whether to keep a base in 4 bits.

    Args:
        wanted: What the settings say.
        weights: How many the base has.
        card: Bytes of memory of the graphics card; None where there is none.
    """
    if device() == "mps":
        return Choice(False, _("bitsandbytes does not run on a Mac's card"))
    if wanted != "auto":
        return Choice(wanted == "always", _("as the settings say"))
    if card is None:
        return Choice(False, _("on a processor 4 bits are far slower"))
    need = memory(weights, 2)
    sizes = _("twice in 16 bits it takes {need:.1f} GB, and the card has {card:.1f} GB").format(
        need=need / 1e9, card=card / 1e9
    )
    return Choice(need > _SHARE * card, sizes)


def card() -> int | None:
    """Bytes of memory of the graphics card, whether free or not; None where there is none."""
    import torch

    return int(torch.cuda.mem_get_info()[1]) if device() == "cuda" else None


def options() -> dict[str, Any]:
    """What `from_pretrained` is to be told to load a base in 4 bits."""
    hush()
    import torch
    from transformers import BitsAndBytesConfig

    return {
        "dtype": torch.bfloat16,  # TRL keeps what is trained on such a base in it, too
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            # Heads are few numbers, and what is trained whole cannot be quantised.
            llm_int8_skip_modules=["lm_head", "score"],
        ),
        "device_map": {"": 0 if device() == "cuda" else "cpu"},
    }


def settled(model: Any) -> Any:
    """`model`, ready to be trained on and answered with in turn, on a processor as on a card.

    Some processors have bitsandbytes repack the weights on the first reply, in a form that training
    cannot go back from.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model
