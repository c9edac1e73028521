"""Checks that a faster form of a generator gives the same image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kornia_srgan.geometry import bands_of

_LEVELS = 255
_MOST = 2.0
"""The largest difference of a pixel, in grey levels; rounding adds to it."""
_MOST_RMS = 0.35
"""Root of the mean square, in grey levels. 0.23 of them cost 0.005 dB at a PSNR of 32 dB; photographs, less
bright and colourful than the made one, show two thirds of what is seen here."""
_SIDE = 48


def is_faithful(fast: nn.Module, exact: nn.Module) -> bool:
    """Whether two forms of a generator give nearly the same result for a synthetic photograph.

    Args:
        fast: Maps `(B, C, H, W)` in float32 on the CPU.
        exact: The form to compare with.
    """
    image = made_photograph(bands=bands_of(exact))
    with torch.inference_mode():
        difference = (fast(image).clamp(0, 1) - exact(image).clamp(0, 1)).mul_(_LEVELS)
    return bool(difference.abs().max() <= _MOST and difference.square().mean().sqrt() <= _MOST_RMS)


def made_photograph(side: int = _SIDE, bands: int = 3) -> Tensor:
    """A synthetic photograph with gradients, edges, texture and noise: `(1, bands, side, side)`."""
    random = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    smooth = torch.stack([x, y, (x + y) / 2])
    edges = ((x * 7).floor() + (y * 5).floor()).remainder(2) * 0.3 - 0.15
    texture = torch.sin(x * 90) * torch.sin(y * 70) * 0.1
    noise = torch.randn(3, side, side, generator=random) * 0.02
    image = (smooth + edges + texture * (x > 0.5) + noise).clamp(0, 1)
    image = image[[index % 3 for index in range(bands)]]
    return image[None].contiguous(memory_format=torch.channels_last)
