"""The U-Net discriminator of Real-ESRGAN."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from kornia_srgan.components.discriminators.vgg import per_layer
from kornia_srgan.ops.padding import pad_to_multiple

_STRIDE = 8  # three halvings


def _conv(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False))


class UNetDiscriminator(nn.Module):
    """A U-Net with spectral normalisation: one logit for every pixel.

    `(B, 3, H, W)` in [0, 1] to `(B, 1, H, W)`, no sigmoid. Sides that are no multiple of 8 are padded
    inside by repeating the border. No BatchNorm, so it goes with gradient penalties and with any batch
    size.

    Wang et al. 2021, arXiv 2107.10833; Schönfeld et al. 2020, arXiv 2002.12655; spectral normalisation:
    Miyato et al. 2018, arXiv 1802.05957.

    Args:
        channels: Channels at full resolution (64 in the paper); 2, 4 and 8 times as many below.
        skip: Add the features of the way down on the way up.
        bands: Channels of the images.

    Raises:
        ArgumentError: If `channels` is not a whole number of at least 1.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.discriminators.unet import UNetDiscriminator
        >>> UNetDiscriminator(channels=4)(torch.rand(2, 3, 20, 33)).shape
        torch.Size([2, 1, 20, 33])
    """

    def __init__(self, *, channels: int = 64, skip: bool = True, bands: int = 3) -> None:
        super().__init__()
        (c,) = per_layer(channels, 1, "channels")
        self.skip = skip
        self.first = nn.Conv2d(bands, c, 3, padding=1)
        self.down = nn.ModuleList(_conv(c * 2**i, c * 2 ** (i + 1), 4, 2) for i in range(3))
        self.up = nn.ModuleList(_conv(c * 2 ** (i + 1), c * 2**i, 3, 1) for i in reversed(range(3)))
        self.last = nn.Sequential(
            _conv(c, c, 3, 1),
            nn.LeakyReLU(0.2),
            _conv(c, c, 3, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(c, 1, 3, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of `images`, `(B, 3, H, W)` in [0, 1]."""
        x = F.leaky_relu(self.first(pad_to_multiple(images, _STRIDE)), 0.2)
        above = []
        for layer in self.down:
            above.append(x)
            x = F.leaky_relu(layer(x), 0.2)
        for layer, beside in zip(self.up, reversed(above), strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = F.leaky_relu(layer(x), 0.2)
            if self.skip:
                x = x + beside
        return self.last(x)[..., : images.shape[-2], : images.shape[-1]]
