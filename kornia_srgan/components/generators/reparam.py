"""Re-parameterised convolutions: wide while they learn, one plain 3x3 convolution when they serve.

Several linear branches between the same two tensors are one convolution whose kernel is a function of their
weights. Ours compute that kernel in every forward (its gradient flows back to the branches) and convolve
once: training costs the activations of one convolution, and training and serving see the same borders.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.components.generators.layers import conv, memory_format_of


class ReparamConv2d(nn.Module, ABC):
    """A 3x3 convolution, padding 1, whose kernel is made of other parameters.

    `(B, inputs, H, W)` to `(B, outputs, H, W)`; any floating dtype. The kernel is computed in float32 at
    least, also where the convolution runs in half precision.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the result.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs

    @abstractmethod
    def kernel(self) -> tuple[Tensor, Tensor]:
        """The kernel, `(outputs, inputs, 3, 3)`, and the bias, `(outputs,)`, of the one convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `(B, inputs, H, W)`."""
        kind = x.device.type
        exact = torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()
        with exact:
            weight, bias = self.kernel()
        weight = weight.to(x.dtype).contiguous(memory_format=memory_format_of(x))
        return F.conv2d(x, weight, bias.to(x.dtype), padding=1)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """The one convolution, with the kernel of now; in the parameters' dtype, on their device."""
        weight, bias = self.kernel()
        made = conv(self.inputs, self.outputs, 3).to(bias.device, bias.dtype).requires_grad_(False)
        made.weight.copy_(weight)
        assert made.bias is not None
        made.bias.copy_(bias)
        return made.train(self.training)


def at_least_float32(x: Tensor) -> Tensor:
    """The tensor in float32, or as it is in float64."""
    return x if x.dtype == torch.float64 else x.float()


def chain_1x1(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """A 1x1 convolution and one after it as one: `(M, I, 1, 1)` and `(O, M, k, k)` to `(O, I, k, k)`.

    The second sees the first's bias beyond the border too, as its padding would have to.
    """
    (w1, b1), (w2, b2) = first, second
    return torch.einsum("omhw,mi->oihw", w2, w1[:, :, 0, 0]), b2 + torch.einsum("omhw,m->o", w2, b1)


def parameters_of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that has both, in float32 at least."""
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    return at_least_float32(layer.weight), at_least_float32(layer.bias)
