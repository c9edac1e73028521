"""Mean distances between two tensors whose gradient costs little memory traffic.

PyTorch's own losses write the gradient of channels-last tensors in another layout, and keep both tensors in
float32. On a CPU that took longer than the convolutions that made the features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _MeanSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
        difference = _difference(ctx, input, target)
        return difference.square().mean()

    # torch's stubs: what `once_differentiable` returns is no longer the method that it was given.
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (difference,) = ctx.saved_tensors
        return difference * (grad_outputs[0] * (2 / difference.numel())), None


class _MeanAbsolute(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
        return _difference(ctx, input, target).abs().mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (difference,) = ctx.saved_tensors
        return difference.sign().mul_(grad_outputs[0] / difference.numel()), None


def _difference(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
    whole = input.to(torch.float32, copy=True).sub_(target.float())
    ctx.save_for_backward(whole)
    return whole


def mean_square(input: Tensor, target: Tensor) -> Tensor:
    """The mean squared difference, a float32 scalar.

    Args:
        input: Of any shape and floating dtype; the gradient has its dtype and layout.
        target: The same shape; it gets no gradient.
    """
    distance: Any = _MeanSquare.apply(input, target)
    return distance


def mean_absolute(input: Tensor, target: Tensor) -> Tensor:
    """The mean absolute difference, a float32 scalar; arguments as of `mean_square`."""
    distance: Any = _MeanAbsolute.apply(input, target)
    return distance
