"""Multiply by the frozen base's weights in bfloat16, on processors where that is faster.

Nearly all the time of a training step goes into the base's own matrices, which do not learn. On
processors with bfloat16 instructions (AVX-512 BF16, AMX) these matrices are therefore kept in
bfloat16, and the inputs and outputs of their products are rounded to it, forward and backward.
Everything else stays in float32: the adapter, its gradients, attention, the LM head, the loss, and
the sums within a product. This is mixed-precision training (Micikevicius et al., arXiv 1710.03740)
without loss scaling, which the range of bfloat16 does not need.

The choice depends on the processor, never on a measurement, so that one machine always makes the
same adapter. Left out on purpose: the adapter's own products, which are thin, and in which rounding
errors would accumulate.
"""

import functools
from typing import Any


def use_bf16_base(model: Any) -> None:
    """Keep the base weights under the adapter of a PEFT model in bfloat16 if that is fast.

    Changes nothing on a GPU, in 4 bits, or on a processor without bfloat16 instructions.
    """
    import torch

    if not (
        model.dtype == torch.float32 and model.device.type == "cpu" and has_bf16_instructions()
    ):
        return
    rounded = _linear_class()
    for name, module in model.named_modules():
        if name.endswith(".base_layer") and type(module) is torch.nn.Linear:
            module.weight = torch.nn.Parameter(module.weight.bfloat16(), requires_grad=False)
            module.__class__ = rounded


def has_bf16_instructions() -> bool:
    import torch

    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


@functools.cache
def _linear_class() -> type:
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
        """A frozen layer with bfloat16 weights; its input and output are float32."""

        def forward(self, input: Any) -> Any:  # noqa: A002
            product = Product.apply(input, self.weight)
            return product if self.bias is None else product + self.bias

    return RoundedLinear
