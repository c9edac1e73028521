"""EDSR: residual blocks without BatchNorm."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.components.generators.layers import (
    check_positive,
    conv,
    init_convolutions,
    receptive_halo,
    scale_steps,
    upsample_step,
)
from kornia_srgan.components.generators.skips import Skip, SkipBody, SkipTail
from kornia_srgan.errors import ArgumentError


class ResidualBlock(nn.Module):
    """conv - ReLU - conv, scaled, plus its input. Shape `(B, C, H, W)` in and out."""

    def __init__(self, channels: int, residual_scale: float) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels, 3)
        self.conv2 = conv(channels, channels, 3)
        self.residual_scale = residual_scale

    def forward(self, x: Tensor) -> Tensor:
        """Add the scaled residual."""
        residual = self.conv2(F.relu(self.conv1(x)))
        return x + (residual if self.residual_scale == 1.0 else residual * self.residual_scale)


class EDSR(nn.Module):
    """Residual blocks at LR resolution, a long skip, then pixel shuffle; light and fast on a CPU.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped; any floating dtype. The
    image is centred to [-0.5, 0.5] inside (the paper subtracts the mean of its training set), so that the
    zero padding of the convolutions is mid-grey.

    Lim et al. 2017, arXiv 1707.02921 (its baseline: 64 channels, 16 blocks, pixelshuffle, no bilinear skip).

    Args:
        scale: Factor of enlargement, 1 to 8.
        channels: Channels of every layer.
        num_blocks: Residual blocks.
        upsampler: `pixelshuffle`: one convolution and shuffle for each prime factor of the scale, then a
            convolution to RGB, as in the paper; `direct`: one convolution to `3*scale^2` channels and one
            shuffle (a fraction of the cost).
        residual_scale: Factor of each residual (the paper: 0.1 for its 256-channel model).
        bilinear_skip: Add the bilinearly enlarged input, so that the network learns the difference to it.
        bands: Channels of the images; with another number than 3, `(B, bands, h, w)` in and out.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.generators.edsr import EDSR
        >>> EDSR(scale=3, channels=8, num_blocks=1)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 15, 21])
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 48,
        num_blocks: int = 6,
        upsampler: Literal["pixelshuffle", "direct"] = "direct",
        residual_scale: float = 1.0,
        bilinear_skip: bool = True,
        bands: int = 3,
    ) -> None:
        super().__init__()
        steps = scale_steps(scale)
        check_positive(channels=channels, num_blocks=num_blocks, bands=bands)
        self.scale = scale
        self.bands = bands
        self.head = conv(bands, channels, 3)
        self.body = SkipBody(
            *(ResidualBlock(channels, residual_scale) for _ in range(num_blocks)), conv(channels, channels, 3)
        )
        body_radius = 1 + 2 * num_blocks + 1
        if upsampler == "direct":
            layers: list[nn.Module] = [conv(channels, bands * scale**2, 3), nn.PixelShuffle(scale)]
            self.halo = body_radius + 1
        elif upsampler == "pixelshuffle":
            stages = (upsample_step(channels, factor, None, "pixelshuffle") for factor in steps)
            layers = [*stages, conv(channels, bands, 3)]
            self.halo = receptive_halo(body_radius, steps, step_radius=1, tail_radius=1)
        else:
            raise ArgumentError(
                f"upsampler must be 'pixelshuffle' or 'direct'; got {upsampler!r}", where="upsampler"
            )
        skip: Skip = "bilinear" if bilinear_skip else "grey"
        self.tail = SkipTail(*layers, scale=scale, skip=skip)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Small residuals and a small tail: the first output is close to the bilinear skip (or to grey)."""
        init_convolutions(self, slope=0.0)
        for block in self.body:
            if isinstance(block, ResidualBlock):
                block.conv2.weight.mul_(0.1)
        last = [m for m in self.tail.modules() if isinstance(m, nn.Conv2d)][-1]
        last.weight.mul_(0.01)

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `lr`, `(B, 3, h, w)` in [0, 1]."""
        return self.tail(self.body(self.head(lr - 0.5)), lr)
