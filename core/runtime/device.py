"""Which device the model answers and trains on: the one place that chooses.

A graphics card (CUDA) first, then that of a Mac (MPS), else the processor. `TUTEE_DEVICE` names
another one: `cpu` keeps a card free for something else.
"""

import os
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import torch

Device = Literal["cuda", "mps", "cpu"]


def device() -> Device:
    """The device that is used on this machine."""
    import torch

    there: dict[Device, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    named = os.environ.get("TUTEE_DEVICE", "").lower()
    wanted = [one for one in get_args(Device) if one == named] or get_args(Device)
    return next((one for one in wanted if there[one]), "cpu")


def settle() -> None:
    """Have attention computed by what takes texts of any length.

    On newer cards torch prefers cuDNN's, which plans anew for each length that it meets: on an H200
    a chat then waits 1.2 s for its first token and writes 14 tokens a second instead of 60.
    """
    import torch

    if device() == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)


def dtype() -> "torch.dtype":
    """The type of whole weights there; what the others have in bfloat16 is slow or missing."""
    import torch

    return torch.bfloat16 if device() == "cuda" else torch.float32
