"""SRVGGNetCompact, the plain chain of convolutions of Real-ESRGAN."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.components.generators.layers import check_positive, conv, init_convolutions, scale_steps
from kornia_srgan.errors import ArgumentError

Activation = Literal["prelu", "relu", "leakyrelu"]


def _activation(kind: Activation, channels: int) -> nn.Module:
    if kind == "prelu":
        return nn.PReLU(channels)
    if kind == "relu":
        return nn.ReLU()
    if kind == "leakyrelu":
        return nn.LeakyReLU(0.1)
    raise ArgumentError(
        f"activation must be 'prelu', 'relu' or 'leakyrelu'; got {kind!r}", where="activation"
    )


class Compact(nn.Module):
    """Convolutions at LR resolution without any skip, one pixel shuffle, plus the repeated pixels.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped; any floating dtype. Keys as
    in the published checkpoints: `body.N.weight`, convolutions at even N, activations at odd N.

    SRVGGNetCompact of Real-ESRGAN, Wang et al. 2021, arXiv 2107.10833.

    Args:
        scale: Factor of enlargement, 1 to 8.
        channels: Channels of every layer.
        num_convs: Convolutions between the first and the last (16 in realesr-animevideov3, 32 in
            realesr-general).
        activation: `prelu` (a slope for each channel), `relu` or `leakyrelu` (slope 0.1).
        bands: Channels of the images; with another number than 3, `(B, bands, h, w)` in and out.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.generators.compact import Compact
        >>> Compact(scale=4, channels=8, num_convs=2)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 20, 28])
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        num_convs: int = 16,
        activation: Activation = "prelu",
        bands: int = 3,
    ) -> None:
        super().__init__()
        scale_steps(scale)
        check_positive(channels=channels, num_convs=num_convs, bands=bands)
        self.scale = scale
        self.bands = bands
        self.halo = num_convs + 2
        self.body = nn.Sequential(conv(bands, channels, 3), _activation(activation, channels))
        for _ in range(num_convs):
            self.body.extend([conv(channels, channels, 3), _activation(activation, channels)])
        self.body.append(conv(channels, bands * scale**2, 3))
        self.upsample = nn.PixelShuffle(scale)
        self._initialise({"prelu": 0.25, "relu": 0.0, "leakyrelu": 0.1}[activation])

    @torch.no_grad()
    def _initialise(self, slope: float) -> None:
        init_convolutions(self, slope=slope)
        last = self.body[-1]
        assert isinstance(last, nn.Conv2d)
        last.weight.mul_(0.02)  # start near the enlarged image

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `lr`, `(B, 3, h, w)` in [0, 1]."""
        detail = self.upsample(self.body(lr))
        if self.scale == 1:
            return detail + lr
        return detail + F.interpolate(lr, scale_factor=float(self.scale), mode="nearest")
