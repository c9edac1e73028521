"""Flat colours in HR crops, as in drawings, screenshots and skies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from kornia_srgan.components.transforms.seeding import check_seeds, to_device
from kornia_srgan.errors import ArgumentError
from kornia_srgan.rng import draw_uniform


class FlatPatches:
    """Draws a rectangle of one colour on some of the images.

    A network trained only on photographs hardly sees pure white or saturated colours, and shifts them. The
    colour is white (3 in 10), black (1 in 10), a corner of the RGB cube (3 in 10) or any colour.

    Args:
        p: Probability for each image.
        size: Range of a rectangle's sides, as a share of the image's.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.transforms.patches import FlatPatches
        >>> FlatPatches(p=1.0)(torch.rand(2, 3, 8, 8), seeds=(1, 2)).shape
        torch.Size([2, 3, 8, 8])
    """

    def __init__(self, *, p: float = 0.5, size: tuple[float, float] = (0.25, 1.0)) -> None:
        if not 0 <= p <= 1:
            raise ArgumentError(f"flat_patches: p must lie in [0, 1]; got {p}", where="p")
        if not 0 < size[0] <= size[1] <= 1:
            raise ArgumentError(
                f"flat_patches: size must be two rising shares in (0, 1]; got {size}", where="size"
            )
        self.p = p
        self.size = size

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Change `(B, 3, H, W)` in [0, 1], one seed per image."""
        check_seeds(images, seeds)
        u = draw_uniform(seeds, stream="flat_patches", count=9)
        chosen = np.flatnonzero(u[:, 0] < self.p)
        if not len(chosen):
            return images
        images = images.clone()
        colors = to_device(_colors(u), images)
        low, high = self.size
        for i in chosen.tolist():
            height, width = (
                max(1, round(n * (low + (high - low) * s)))
                for n, s in zip(images.shape[-2:], u[i, 1:3], strict=True)
            )
            top, left = (
                int((n - m + 1) * s)
                for n, m, s in zip(images.shape[-2:], (height, width), u[i, 3:5], strict=True)
            )
            images[i, :, top : top + height, left : left + width] = colors[i][:, None, None]
        return images


def _colors(u: np.ndarray) -> np.ndarray:
    """One RGB colour for each row of draws."""
    kind, free = u[:, 5:6], u[:, 6:9]
    corner = np.round(free)
    return np.where(kind < 0.3, 1.0, np.where(kind < 0.4, 0.0, np.where(kind < 0.7, corner, free)))
