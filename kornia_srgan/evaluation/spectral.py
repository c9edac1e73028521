"""Metrics of remote sensing: how well the spectrum of each pixel and the scale of each band are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from kornia_srgan.evaluation.metrics import as_batches

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def sam(image: Tensor | np.ndarray, reference: Tensor | np.ndarray) -> Tensor:
    """Spectral angle mapper: the mean angle between the spectra of an image and the reference, in degrees.

    Yuhas, Goetz and Boardman 1992, JPL Airborne Geoscience Workshop. Pixels that are black in either have no
    angle and are left out.

    Args:
        image: `(B, C, H, W)` and the other shapes of `metrics`, of two channels or more.
        reference: The true image, of the same shape.

    Returns:
        `(B,)`, float64, in [0, 180]; NaN where every pixel is black. Lower is better.

    Raises:
        ValueError: If the shapes differ or there is one channel.
    """
    image, reference = as_batches(image, reference)
    if image.shape[1] < 2:
        raise ValueError("SAM compares spectra: it needs two channels or more, got 1")
    dot = (image * reference).sum(1)
    lengths = image.norm(dim=1) * reference.norm(dim=1)
    angles = torch.rad2deg(torch.acos((dot / lengths).clamp(-1, 1)))
    return angles.where(lengths > 0, torch.nan).flatten(1).nanmean(1)


def ergas(image: Tensor | np.ndarray, reference: Tensor | np.ndarray, *, scale: int) -> Tensor:
    """Relative dimensionless global error: 100 / scale times the root mean square of RMSE / mean over bands.

    Wald 2000, "Quality of high resolution synthesised images: is there a simple criterion?".

    Args:
        image: `(B, C, H, W)` and the other shapes of `metrics`.
        reference: The true image, of the same shape.
        scale: The factor that `image` was enlarged by.

    Returns:
        `(B,)`, float64; lower is better. Infinite where a band of the reference is black.

    Raises:
        ValueError: If the shapes differ.
    """
    image, reference = as_batches(image, reference)
    error = (image - reference).square().mean(dim=(2, 3))
    means = reference.mean(dim=(2, 3))
    return 100 / scale * (error / means.square()).mean(1).sqrt()


class SAM:
    """`sam` as a component, on stored values; 0 for equal images, lower is better."""

    on: Literal["protocol", "rgb", "stored"] = "stored"
    higher_is_better = False

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, C, H, W)` in [0, 1]: `(B,)` in degrees."""
        return sam(images, references)


class ERGAS:
    """`ergas` as a component, on stored values; 0 for equal images, lower is better.

    Args:
        scale: The factor that images are enlarged by; None for that of the images that are scored.
    """

    on: Literal["protocol", "rgb", "stored"] = "stored"
    higher_is_better = False

    def __init__(self, *, scale: int | None = None) -> None:
        if scale is not None and scale < 1:
            raise ValueError(f"scale must be at least 1, got {scale}")
        self.scale = scale

    def for_scale(self, scale: int) -> ERGAS:
        """The metric for images of that factor, unless one was given."""
        return self if self.scale else ERGAS(scale=scale)

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, C, H, W)` in [0, 1]: `(B,)`.

        Raises:
            ValueError: If no factor is known.
        """
        if self.scale is None:
            raise ValueError("ERGAS depends on the factor; give ERGAS(scale=4), or take `for_scale`")
        return ergas(images, references, scale=self.scale)
