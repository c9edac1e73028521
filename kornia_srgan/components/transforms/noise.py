"""Noise for one image from one seed."""

from __future__ import annotations

import torch
from torch import Tensor

from kornia_srgan.ops.luma import BT601


def _generator(seed: int, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed & (2**63 - 1))


def add_gaussian_noise(image: Tensor, sigma: float, *, seed: int, grey: bool) -> Tensor:
    """Add normal noise of standard deviation `sigma` to `(3, H, W)`; not clamped.

    Args:
        image: In [0, 1].
        sigma: In the same units.
        seed: The noise follows from it.
        grey: One noise for all three channels.
    """
    shape = (1 if grey else 3, *image.shape[-2:])
    drawn = torch.randn(shape, generator=_generator(seed, image.device), device=image.device)
    return image + drawn * sigma


def add_poisson_noise(image: Tensor, factor: float, *, seed: int, grey: bool) -> Tensor:
    """Add the noise of counting photons to `(3, H, W)`, white being 256 of them; not clamped.

    Args:
        image: In [0, 1].
        factor: Multiplies the noise.
        seed: The noise follows from it.
        grey: Draw it from the luma, one noise for all three channels.
    """
    light = image.clamp(0, 1)
    if grey:
        luma = torch.tensor(BT601).to(image)
        light = (light * luma[:, None, None]).sum(0, keepdim=True)
    light = torch.round(light * 255) / 255
    counted = torch.poisson(light * 256, generator=_generator(seed, image.device)) / 256
    return image + (counted - light) * factor
