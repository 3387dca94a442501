"""Matrix products in fp32 by oneDNN, on CPUs where torch's default library leaves half of the processor unused.

torch hands products in fp32 to MKL, which on processors of other makers than Intel does without AVX-512; oneDNN, in
the same torch, does with it. `quicken` has a model's linear layers ask oneDNN, forward and backward: the same sums in
another order. What it gives where is in docs/performance.md and decision 21.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from transformers.pytorch_utils import Conv1D

from bench.model.devices import onednn_pays

# multiplications: for fewer, oneDNN's code for a new shape takes longer than it saves, and memory that stays; training
# brings more shapes, three products of each
_SMALLEST, _SMALLEST_TRAINED = 2**21, 2**27


class OneDnnLinear(torch.nn.Linear):
    """`torch.nn.Linear` by oneDNN."""

    def forward(self, input: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        return _affine(input, self.weight, self.bias)


class QuickConv1D(Conv1D):
    """transformers' `Conv1D`, GPT-2's linear layer with the weights [in, out], by oneDNN."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        return _affine(x, self.weight.t(), self.bias)


_QUICK: dict[type, type] = {torch.nn.Linear: OneDnnLinear, Conv1D: QuickConv1D}


def use_onednn(model: Any) -> Any:
    """The model, its linear layers now quick ones where they are on a processor on which that pays."""
    if onednn_pays() and all(parameter.device.type == "cpu" for parameter in model.parameters()):
        for module in model.modules():
            module.__class__ = _QUICK.get(type(module), type(module))
    return model


def _affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`x` [..., in] times `weight` [out, in], transposed, plus `bias` [out]."""
    trained = torch.is_grad_enabled() and any(of is not None and of.requires_grad for of in (x, weight, bias))
    small = x.numel() * weight.shape[0] < (_SMALLEST_TRAINED if trained else _SMALLEST)
    plain = x.dtype == weight.dtype == torch.float32 and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    if small or not plain:
        return torch.nn.functional.linear(x, weight, bias)
    if trained:
        found: Tensor = _Affine.apply(x, weight, bias)  # type: ignore[no-untyped-call]
        return found
    return _product(x, weight, bias)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


class _Affine(torch.autograd.Function):
    """The product with its gradients, which are products as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        rows = slope.reshape(-1, slope.shape[-1])
        return (
            _product(slope, weight.t()) if of_x else None,
            _product(rows.t(), x.reshape(-1, x.shape[-1]).t()) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )
