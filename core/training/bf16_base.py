"""The frozen base's products in bfloat16, on processors that multiply it faster than float32.

Nearly all the time of a step goes into the base's own matrices, which do not learn. Processors with
instructions for bfloat16 (AVX-512 BF16, AMX) multiply it about three times as fast as float32, so
there these matrices are kept in bfloat16, and what goes into a product and what comes out of it is
rounded to it, forward and backward. Everything between two products stays in float32, as do the
adapter, its gradients, attention, the LM head and the loss; the sums within a product are float32,
too. It is what mixed-precision training (arXiv 1710.03740) does, less the part that needs care.

What decides is the processor, never a measurement, so that the same machine makes the same adapter.
Left out on purpose: the adapter's own products, which are thin, and in which rounding would add up.
"""

import functools
from typing import Any


def quicken(model: Any) -> None:
    """Keep the matrices under the adapter of `model`, a PEFT model, in bfloat16 where that is fast.

    Changes nothing on a graphics card, in 4 bits, or where the processor has no such instructions.
    """
    import torch

    if not (model.dtype == torch.float32 and model.device.type == "cpu" and fast()):
        return
    rounded = _class()
    for name, module in model.named_modules():
        if name.endswith(".base_layer") and type(module) is torch.nn.Linear:
            module.weight = torch.nn.Parameter(module.weight.bfloat16(), requires_grad=False)
            module.__class__ = rounded


def fast() -> bool:
    """Whether this processor has instructions for bfloat16."""
    import torch

    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


@functools.cache
def _class() -> type:
    import torch
    from torch.nn import functional

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, weight: Any) -> Any:
            ctx.save_for_backward(weight)
            return functional.linear(x.bfloat16(), weight).float()

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            (weight,) = ctx.saved_tensors
            return torch.matmul(gradients[0].bfloat16(), weight).float(), None

    class RoundedLinear(torch.nn.Linear):
        """A frozen layer whose weights are in bfloat16; takes and gives float32."""

        def forward(self, input: Any) -> Any:  # noqa: A002
            product = Product.apply(input, self.weight)
            return product if self.bias is None else product + self.bias

    return RoundedLinear
