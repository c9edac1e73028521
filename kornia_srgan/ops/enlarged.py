"""The bilinearly enlarged picture as channels before a pixel shuffle."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.ops.packed import convolve_and_add


class BilinearCells(nn.Module):
    """`pixel_shuffle(cells(x), scale)` is `x` enlarged bilinearly by `scale`, up to rounding.

    Each output pixel is a sum over 3x3 pixels of its own channel, so all of them are one small convolution.
    That takes a fraction of the time of `F.interpolate`, and a layer whose result is shuffled can add it
    before the shuffle. The border is repeated, as `F.interpolate(..., align_corners=False)` does.

    Shape: `(B, C, h, w)` to `(B, C * scale^2, h, w)`; any floating dtype.

    Args:
        scale: The factor of enlargement, 2 or more.
        channels: Of the picture.
    """

    kernel: Tensor

    def __init__(self, scale: int, channels: int) -> None:
        super().__init__()
        # The enlarged middle pixel of 3x3, once for each of the nine that may be lit.
        lit = F.interpolate(torch.eye(9).view(9, 1, 3, 3), scale_factor=float(scale), mode="bilinear")
        taps = lit[:, 0, scale : 2 * scale, scale : 2 * scale].flatten(1).T.reshape(-1, 3, 3)
        kernel = torch.zeros(channels, scale**2, channels, 3, 3)
        for channel in range(channels):
            kernel[channel, :, channel] = taps
        self.register_buffer("kernel", kernel.flatten(0, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `(B, C, h, w)`."""
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), self.kernel)


class EnlargedSum(nn.Module):
    """A convolution and a pixel shuffle, plus the bilinearly enlarged picture.

    `(B, C, h, w)` and the picture, `(B, bands, h, w)`, to `(B, bands, scale*h, scale*w)`.

    Args:
        conv: To `bands * scale^2` channels.
        shuffle: By `scale`.
        cells: Enlarges the picture.
    """

    def __init__(self, conv: nn.Module, shuffle: nn.PixelShuffle, cells: BilinearCells) -> None:
        super().__init__()
        self.conv, self.shuffle, self.cells = conv, shuffle, cells

    def forward(self, features: Tensor, lr: Tensor) -> Tensor:
        """Convolve `features`, add the picture and shuffle."""
        return self.shuffle(convolve_and_add(self.conv, features, self.cells(lr)))
