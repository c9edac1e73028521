"""MSRResNet: SRResNet without BatchNorm, as BasicSR and mmagic train it."""

from __future__ import annotations

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

SLOPE = 0.1


class ResidualBlock(nn.Module):
    """conv - ReLU - conv, plus its input. Shape `(B, C, H, W)` in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels, 3)
        self.conv2 = conv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual."""
        return x + self.conv2(F.relu(self.conv1(x)))


class MSRResNet(nn.Module):
    """Residual blocks without BatchNorm, pixel shuffles, and the bilinearly enlarged input added.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped; any floating dtype. The
    "modified SRResNet" of Wang et al. 2018 (arXiv 1809.00219), in which BasicSR and mmagic publish their
    SRResNet and SRGAN weights: 3x3 convolutions throughout, leaky ReLUs of slope 0.1, no long skip between
    features.

    Args:
        scale: Factor of enlargement, 1 to 8, in steps of its prime factors.
        channels: Channels of every layer.
        num_blocks: Residual blocks.
        upsample_activation: A leaky ReLU after each pixel shuffle, as in BasicSR; mmagic has none.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.generators.msrresnet import MSRResNet
        >>> MSRResNet(scale=4, channels=8, num_blocks=1)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 20, 28])
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        num_blocks: int = 16,
        upsample_activation: bool = True,
    ) -> None:
        super().__init__()
        steps = scale_steps(scale)
        check_positive(channels=channels, num_blocks=num_blocks)
        self.scale = scale
        self.halo = receptive_halo(1 + 2 * num_blocks, steps, step_radius=1, tail_radius=2)
        self.conv_first = conv(3, channels, 3)
        self.body = nn.Sequential(*(ResidualBlock(channels) for _ in range(num_blocks)))
        activation = (lambda: nn.LeakyReLU(SLOPE)) if upsample_activation else None
        self.upsample = nn.Sequential(
            *(upsample_step(channels, factor, activation, "pixelshuffle") for factor in steps)
        )
        self.conv_hr = conv(channels, channels, 3)
        self.conv_last = conv(channels, 3, 3)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Small residuals and a small last layer, so that the first output is near the bilinear image."""
        init_convolutions(self, slope=SLOPE)
        for block in self.body:
            if isinstance(block, ResidualBlock):
                block.conv1.weight.mul_(0.1)
                block.conv2.weight.mul_(0.1)
        self.conv_last.weight.mul_(0.1)

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `lr`, `(B, 3, h, w)` in [0, 1]."""
        features = self.body(F.leaky_relu(self.conv_first(lr), SLOPE))
        detail = self.last(self.upsample(features))
        if self.scale == 1:
            return detail + lr
        return detail + F.interpolate(
            lr, scale_factor=float(self.scale), mode="bilinear", align_corners=False
        )

    def last(self, features: Tensor) -> Tensor:
        """From features to RGB, both at the size of the result."""
        return self.conv_last(F.leaky_relu(self.conv_hr(features), SLOPE))
