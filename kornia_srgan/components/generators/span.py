"""SPAN: attention without parameters, between re-parameterised convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.components.generators.layers import check_positive, conv, scale_steps
from kornia_srgan.components.generators.reparam import ReparamConv2d, chain_1x1, parameters_of

_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K, as published
_RANGE = 255.0
_GAIN = 2  # how much wider the branches are than the convolution they become


class Conv3XC(ReparamConv2d):
    """1x1 - 3x3 - 1x1 convolutions without activations, plus a 1x1: one 3x3 convolution.

    `(B, inputs, H, W)` to `(B, outputs, H, W)`. Keys as in the published checkpoints: `conv.0` to `conv.2`
    and `sk`. Their `eval_conv` is the folded convolution and is not kept.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.sk = conv(inputs, outputs, 1)
        wide_in, wide_out = inputs * _GAIN, outputs * _GAIN
        self.conv = nn.Sequential(
            conv(inputs, wide_in, 1), nn.Conv2d(wide_in, wide_out, 3), conv(wide_out, outputs, 1)
        )

    def kernel(self) -> tuple[Tensor, Tensor]:
        """The kernel and bias of the one convolution."""
        (w1, b1), (w2, b2), (w3, b3), (skip, skip_bias) = map(parameters_of, (*self.conv, self.sk))
        weight, bias = chain_1x1((w1, b1), (w2, b2))
        weight, bias = torch.einsum("om,mihw->oihw", w3[:, :, 0, 0], weight), b3 + w3[:, :, 0, 0] @ bias
        return weight + F.pad(skip, (1, 1, 1, 1)), bias + skip_bias


class SPAB(nn.Module):
    """Three convolutions; their result `z` with the input, weighted by `sigmoid(z) - 0.5`.

    Shape `(B, C, H, W)` in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.c1_r = Conv3XC(channels, channels)
        self.c2_r = Conv3XC(channels, channels)
        self.c3_r = Conv3XC(channels, channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The result, and what the first activation gave (theirs works in place, and so gives that)."""
        first = F.silu(self.c1_r(x))
        residual = self.c3_r(F.silu(self.c2_r(first)))
        return (residual + x) * (torch.sigmoid(residual) - 0.5), first


class SPAN(nn.Module):
    """Swift parameter-free attention network; much quality for little work, once folded.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped; any floating dtype. Keys as
    in the published checkpoints. `optimize_for_inference` makes one convolution of each four.

    Wan et al. 2024, arXiv 2311.12770.

    Args:
        scale: Factor of enlargement, 1 to 8.
        channels: Channels of every layer (48 in the published networks, 52 in the larger ones).
        num_blocks: Blocks of three convolutions (the paper: 6).
        norm: Subtract the mean colour of DIV2K and multiply by 255 first, as published networks do unless
            they say `no_norm`.
        bilinear_skip: Add the bilinearly enlarged input, so that the network learns the difference to it;
            published networks do not.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.generators.span import SPAN
        >>> SPAN(scale=4, channels=8, num_blocks=1)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 20, 28])
    """

    mean: Tensor

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 48,
        num_blocks: int = 6,
        norm: bool = True,
        bilinear_skip: bool = False,
    ) -> None:
        super().__init__()
        scale_steps(scale)
        check_positive(channels=channels, num_blocks=num_blocks)
        self.scale, self.norm, self.bilinear_skip = scale, norm, bilinear_skip
        self.num_blocks = num_blocks
        self.halo = 1 + 3 * num_blocks + 2
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.conv_1 = Conv3XC(3, channels)
        for number in range(1, num_blocks + 1):
            self.add_module(f"block_{number}", SPAB(channels))
        self.conv_2 = Conv3XC(channels, channels)
        self.conv_cat = conv(4 * channels, channels, 1)
        self.upsampler = nn.Sequential(conv(channels, 3 * scale**2, 3), nn.PixelShuffle(scale))
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """PyTorch's own start, as published; the first layer undoes the range, the last starts small."""
        if self.norm:
            for weight in (self.conv_1.sk.weight, _first(self.conv_1.conv).weight):
                weight.div_(_RANGE)
        if self.bilinear_skip:
            _first(self.upsampler).weight.mul_(0.1)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks in order."""
        return [self.get_submodule(f"block_{number}") for number in range(1, self.num_blocks + 1)]

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `lr`, `(B, 3, h, w)` in [0, 1]."""
        head = self.conv_1((lr - self.mean) * _RANGE if self.norm else lr)
        ends, inner = [], head
        features = head
        for block in self.blocks:
            features, inner = block(features)
            ends.append(features)
        image = self.upsampler(self.conv_cat(torch.cat([head, self.conv_2(features), ends[0], inner], 1)))
        if not self.bilinear_skip:
            return image
        if self.scale == 1:
            return image + lr
        return image + F.interpolate(lr, scale_factor=float(self.scale), mode="bilinear", align_corners=False)


def _first(layers: nn.Sequential) -> nn.Conv2d:
    layer = layers[0]
    assert isinstance(layer, nn.Conv2d)
    return layer
