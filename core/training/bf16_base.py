"""Multiply by the frozen base's weights in bfloat16, on processors where that is faster.

Nearly all the time of a training step goes into the base's own matrices, which do not learn. On
processors with bfloat16 instructions (AVX-512 BF16, AMX) these matrices are therefore kept in
bfloat16, and the inputs and outputs of their products are rounded to it, forward and backward.
Everything else stays in float32: the adapter, its gradients, attention, the loss, and the sums
within a product; SFT rounds the LM head, too (`use_bf16_head`). This is mixed-precision training
(Micikevicius et al., arXiv 1710.03740) without loss scaling, which the range of bfloat16 does not
need.

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

    if not _pays(model):
        return
    for name, module in model.named_modules():
        if name.endswith(".base_layer") and type(module) is torch.nn.Linear:
            module.weight = _rounded(module.weight)
            module.__class__ = _linear_class()
    for weight in model.parameters():
        if not weight.requires_grad and weight.dtype == torch.float32:
            # Off the mapped file, which stays in memory as long as one of its tensors is in use.
            weight.data = weight.data.clone()


def use_bf16_head(model: Any) -> None:
    """Multiply by the LM head's weights in bfloat16 where gradients are computed, if that is fast.

    The logits are rounded, too, by a hundredth of a nat or so. What compares log-probabilities with
    those of another time must not use it; without gradients they are as exact as before.
    """
    import torch

    head = model.get_output_embeddings()
    if _pays(model) and type(head) is torch.nn.Linear:
        head.rounded = _rounded(head.weight)
        head.__class__ = _head_class()


def has_bf16_instructions() -> bool:
    import torch

    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def linear(x: Any, weight: Any) -> Any:
    """Return `x @ weight.T` in float32, computed in the type of `weight`."""
    from torch.nn import functional

    return functional.linear(x.to(weight.dtype), weight).float()


def linear_input_gradient(gradient: Any, weight: Any) -> Any:
    """Return the gradient by the `x` of `linear`, in float32, computed in the type of `weight`."""
    return (gradient.to(weight.dtype) @ weight).float()


def _pays(model: Any) -> bool:
    import torch

    on_cpu = model.dtype == torch.float32 and model.device.type == "cpu"
    return on_cpu and has_bf16_instructions()


def _rounded(weight: Any) -> Any:
    import torch

    return torch.nn.Parameter(weight.detach().bfloat16(), requires_grad=False)


@functools.cache
def _product() -> Any:
    import torch

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, weight: Any) -> Any:
            ctx.save_for_backward(weight)
            return linear(x, weight)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return linear_input_gradient(gradients[0], *ctx.saved_tensors), None

    return Product.apply


@functools.cache
def _linear_class() -> type:
    import torch

    class RoundedLinear(torch.nn.Linear):
        """A frozen layer with bfloat16 weights; its input and output are float32."""

        def forward(self, input: Any) -> Any:  # noqa: A002
            product = _product()(input, self.weight)
            return product if self.bias is None else product + self.bias

    return RoundedLinear


@functools.cache
def _head_class() -> type:
    import torch

    class RoundedHead(torch.nn.Linear):
        """A frozen LM head that has its weights in bfloat16, too."""

        def forward(self, input: Any) -> Any:  # noqa: A002
            if not torch.is_grad_enabled():
                return super().forward(input)
            product = _product()(input, self.rounded)
            return product if self.bias is None else product + self.bias

    return RoundedHead
