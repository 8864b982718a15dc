"""The device that models run on: the one place that chooses.

CUDA first, then a Mac's GPU (MPS), else the CPU. `TUTEE_DEVICE` names another one: `cpu` keeps a
GPU free for something else.
"""

import os
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import torch

Device = Literal["cuda", "mps", "cpu"]


def device() -> Device:
    import torch

    available: dict[Device, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    named = os.environ.get("TUTEE_DEVICE", "").lower()
    wanted = [one for one in get_args(Device) if one == named] or get_args(Device)
    return next((one for one in wanted if available[one]), "cpu")


def disable_cudnn_attention() -> None:
    """Keep torch from using cuDNN for attention on CUDA.

    Newer devices prefer it, and it plans anew for each sequence length: the first token comes late
    and decode steps are slow.
    """
    import torch

    if device() == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)


def dtype() -> "torch.dtype":
    """Return the dtype of unquantized weights; without CUDA, bfloat16 is slow or missing."""
    import torch

    return torch.bfloat16 if device() == "cuda" else torch.float32
