"""A bfloat16 convolution whose strongest channels keep 16 bits of precision."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kornia_srgan.ops.modules import kernel_and_padding
from kornia_srgan.ops.packed import IDENTITY, PackedConv2d


class PreciseConv2d(PackedConv2d):
    """A packed convolution that also returns the rounding error of some channels.

    A value is then the sum of two bfloat16 values: the rounded value and its error. The error is computed by
    the same convolution, with the rounded value subtracted before rounding. The next layer applies the
    weights of these channels to the extra channels as well (`with_rests`). It thus sees them with 16 bits of
    precision, for the cost of a few more channels.

    Maps `(B, C, H, W)` to `(B, O + len(channels), H, W)`. If oneDNN's operator does not apply, nothing is
    rounded and the errors are zero.

    Args:
        conv: A packed convolution that computes in bfloat16; its activation is none, relu or leaky_relu.
        channels: The channels of its result whose error is returned.
    """

    def __init__(self, conv: PackedConv2d, channels: Tensor) -> None:
        super().__init__(conv, conv.activation, compute=conv.compute, inner=conv.inner)
        self._suits = False
        kernel, padding = kernel_and_padding(conv)
        some = nn.Conv2d(conv.in_channels, len(channels), kernel, padding=padding, device="meta")
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        some.weight = nn.Parameter(conv.weight.detach()[channels].clone(), False)
        some.bias = nn.Parameter(bias[channels].clone(), False)
        self.some = PackedConv2d(some, IDENTITY, compute=conv.compute, inner=True)

    def forward(self, input: Tensor, add: Tensor | None = None) -> Tensor:
        """Convolve `(B, C, H, W)`."""
        if self.can_pack(input):
            return super().forward(input, add)
        plain = super().forward(input, add)
        nothing = plain.new_zeros(plain.shape[0], self.some.out_channels, *plain.shape[2:])
        return torch.cat([plain, nothing], 1)

    def rows(self, x: Tensor, *, pad: bool = False, add: Tensor | None = None) -> Tensor:
        """As `PackedConv2d.rows`, with the errors."""
        x = x.to(self.compute)
        rounded = self.some.rows(x, pad=pad)
        rest = self.some.rows(x, pad=pad, add=-rounded)
        bias = self.some.bias
        if bias is not None:
            # The operator rounds the bias of the sum; that error is part of the result too.
            rest += (bias - bias.to(rest.dtype)).view(1, -1, 1, 1).to(rest.dtype)
        if self.activation.name != "none":
            slope = self.activation.slope if self.activation.name == "leaky_relu" else 0.0
            rest = torch.where(rounded > 0, rest, rest * slope)
        return torch.cat([super().rows(x, pad=pad, add=add), rest], 1)


def with_rests(conv: PackedConv2d, channels: Tensor) -> PackedConv2d:
    """Adapt a packed convolution to the output of a `PreciseConv2d` (and a shuffle) before it."""
    weight = conv.weight.detach()
    kernel, padding = kernel_and_padding(conv)
    inputs = conv.in_channels + len(channels)
    made = nn.Conv2d(inputs, conv.out_channels, kernel, padding=padding, bias=False, device="meta")
    made.weight = nn.Parameter(torch.cat([weight, weight[:, channels]], 1), False)
    made.bias = conv.bias
    return PackedConv2d(made, conv.activation, compute=conv.compute, inner=conv.inner)
