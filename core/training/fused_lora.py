"""Compute a layer with LoRA as one step of autograd, on the CPU.

PEFT adds the adapter to a layer with five operations of their own, each of which reads and writes
whole activations, forward and backward. On a processor that costs more than the adapter's products
themselves. Here one operation computes `x Wᵀ + s (x Aᵀ) Bᵀ` and adds in place; its backward is
written out. The results are those of PEFT up to rounding, with fewer activations kept.

Left out on purpose: dropout and PEFT's variants of LoRA, which keep PEFT's own way, and GPUs, where
what is saved here costs next to nothing.
"""

import functools
from typing import Any

from core.training.bf16_base import linear, linear_input_gradient


def fuse(model: Any) -> None:
    """Let the layers with plain LoRA in a PEFT model compute in one step, if it is on the CPU."""
    import torch
    from peft.tuners import lora

    if model.device.type != "cpu" or model.dtype != torch.float32:
        return
    for module in model.modules():
        if type(module) is lora.Linear and isinstance(module.get_base_layer(), torch.nn.Linear):
            module.__class__ = _layer_class()


@functools.cache
def _layer_class() -> Any:
    import torch
    from peft.tuners import lora

    class Fused(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, x: Any, weight: Any, bias: Any, a: Any, b: Any, scaling: float
        ) -> Any:
            rows = x.reshape(-1, x.shape[-1])
            output = linear(rows, weight)
            if bias is not None:
                output += bias
            low = rows @ a.t()
            output.addmm_(low, b.t(), alpha=scaling)
            ctx.save_for_backward(rows, weight, a, b, low)
            ctx.scaling = scaling
            return output.view(*x.shape[:-1], -1)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            rows, weight, a, b, low = ctx.saved_tensors
            (gradient,) = gradients
            output = gradient.reshape(-1, gradient.shape[-1])
            through_low = (output @ b).mul_(ctx.scaling)
            by_input = None
            if ctx.needs_input_grad[0]:
                by_rows = linear_input_gradient(output, weight).addmm_(through_low, a)
                by_input = by_rows.view(*gradient.shape[:-1], -1)
            by_a = through_low.t() @ rows
            by_b = (low.t() @ output).t().mul(ctx.scaling)
            return by_input, None, None, by_a, by_b, None

    class FusedLinear(lora.Linear):
        """PEFT's layer: its weights, its way to save and merge them, another `forward`."""

        def forward(self, x: Any, *args: Any, **kwargs: Any) -> Any:
            name = self._only_plain_adapter()
            if name is None or args or kwargs:
                return super().forward(x, *args, **kwargs)
            base = self.get_base_layer()
            a, b = self.lora_A[name].weight, self.lora_B[name].weight
            return Fused.apply(x, base.weight, base.bias, a, b, self.scaling[name])

        def _only_plain_adapter(self) -> str | None:
            """Return the name of the adapter if it is one, and nothing but two matrices."""
            if self.disable_adapters or self.merged or len(self.active_adapters) != 1:
                return None
            (name,) = self.active_adapters
            plain = (
                name in self.lora_A
                and name not in self.lora_variant
                and isinstance(self.lora_dropout[name], torch.nn.Identity)
                and not self.lora_bias[name]
            )
            return name if plain else None

    return FusedLinear
