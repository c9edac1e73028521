"""Degradation stages that filter: blur kernels of many families, and sinc."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.components.transforms import blur_kernels
from kornia_srgan.components.transforms.seeding import to_device
from kornia_srgan.components.transforms.stage_tools import (
    Range,
    check_range,
    check_share,
    in_range,
    select_images,
)
from kornia_srgan.contracts import Canvas
from kornia_srgan.errors import ArgumentError
from kornia_srgan.rng import draw_uniform

BLUR_FAMILIES = ("iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso")
_BLUR_SHARES = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)


def filter_images(canvas: Canvas, kernels: Tensor, chosen: np.ndarray) -> Canvas:
    """Filter the chosen images, each with its own kernel; the border is mirrored where there is room."""
    from kornia.filters import filter2d

    if not chosen.any():
        return canvas
    pixels = canvas.pixels
    reach = kernels.shape[-1] // 2
    border = "reflect" if min(pixels.shape[-2:]) > reach else "replicate"
    filtered = filter2d(pixels, to_device(kernels.numpy(), pixels), border_type=border)
    return Canvas(select_images(chosen, filtered, pixels), canvas.heights, canvas.widths)


class Blur:
    """A blur kernel of a random family, size, width and direction for each image.

    Args:
        p: Probability that an image is blurred.
        sigma: Range of the kernels' standard deviations in pixels.
        beta_gaussian: Range of the generalised Gaussian's exponent; half of the draws lie below 1.
        beta_plateau: Range of the plateau's exponent; likewise.
        shares: Probabilities of the families iso, aniso, generalized_iso, generalized_aniso, plateau_iso,
            plateau_aniso; they are scaled to add up to 1.
        sinc: Probability of a sinc kernel in place of them all.
        size: Largest kernel size, odd; each image draws an odd size from 7 up to it.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        p: float = 1.0,
        sigma: Range = (0.2, 3.0),
        beta_gaussian: Range = (0.5, 4.0),
        beta_plateau: Range = (1.0, 2.0),
        shares: tuple[float, ...] = _BLUR_SHARES,
        sinc: float = 0.1,
        size: int = 21,
    ) -> None:
        if len(shares) != len(BLUR_FAMILIES) or min(shares) < 0 or sum(shares) <= 0:
            raise ArgumentError(
                f"blur: shares needs a number for each of {', '.join(BLUR_FAMILIES)}", where="shares"
            )
        if size < 7 or size % 2 == 0:
            raise ArgumentError(f"blur: size must be odd and at least 7; got {size}", where="size")
        self.p = check_share("blur: p", p)
        self.sigma = check_range("blur: sigma", sigma, 1e-2, 1e3)
        self.beta_gaussian = check_range("blur: beta_gaussian", beta_gaussian, 1e-2, 1e2)
        self.beta_plateau = check_range("blur: beta_plateau", beta_plateau, 1e-2, 1e2)
        self.limits = np.cumsum(shares) / np.sum(shares)
        self.sinc = check_share("blur: sinc", sinc)
        self.size = size

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Blur each image."""
        chosen = draw_uniform(seeds, stream="blur.p")[:, 0] < self.p
        return filter_images(canvas, self.kernels(seeds), chosen)

    def kernels(self, seeds: Sequence[int]) -> Tensor:
        """The kernel of each seed, float64 `(B, size, size)`."""
        u = draw_uniform(seeds, stream="blur", count=8).T
        family = np.minimum(np.searchsorted(self.limits, u[0], side="right"), len(BLUR_FAMILIES) - 1)
        sigma_x = torch.from_numpy(in_range(u[1], self.sigma))
        sigma_y = torch.where(
            torch.from_numpy(family % 2 == 1), torch.from_numpy(in_range(u[2], self.sigma)), sigma_x
        )
        angle = torch.from_numpy((u[3] * 2 - 1) * math.pi)
        gaussian_beta = torch.from_numpy(np.where(family < 2, 1.0, _around_one(u[4], self.beta_gaussian)))
        plateau_beta = torch.from_numpy(_around_one(u[4], self.beta_plateau))
        sizes = 7 + 2 * np.floor(u[5] * ((self.size - 7) // 2 + 1))
        kernels = torch.where(
            torch.from_numpy(family >= 4)[:, None, None],
            blur_kernels.plateau_kernels(self.size, sigma_x, sigma_y, angle, plateau_beta),
            blur_kernels.generalized_gaussian_kernels(self.size, sigma_x, sigma_y, angle, gaussian_beta),
        )
        lowest = np.where(sizes < 13, math.pi / 3, math.pi / 5)
        ringing = blur_kernels.sinc_kernels(self.size, torch.from_numpy(lowest + u[6] * (math.pi - lowest)))
        kernels = torch.where(torch.from_numpy(u[7] < self.sinc)[:, None, None], ringing, kernels)
        return blur_kernels.cut_to_sizes(kernels, torch.from_numpy(sizes))


def _around_one(uniform: np.ndarray, values: Range) -> np.ndarray:
    """Half of the draws in [low, 1], half in [1, high], as far as the range reaches there."""
    middle = min(max(1.0, values[0]), values[1])
    below = in_range(uniform * 2, (values[0], middle))
    return np.where(uniform < 0.5, below, in_range(uniform * 2 - 1, (middle, values[1])))


class Sinc:
    """A sinc filter for each image: ringing and overshoot, as sharpening and hard compression leave them.

    Args:
        p: Probability that an image is filtered.
        cutoff: Range of the cut-off frequency in radians per pixel.
        size: Kernel size, odd.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(self, *, p: float = 0.8, cutoff: Range = (math.pi / 3, math.pi), size: int = 21) -> None:
        if size < 3 or size % 2 == 0:
            raise ArgumentError(f"sinc: size must be odd and at least 3; got {size}", where="size")
        self.p = check_share("sinc: p", p)
        self.cutoff = check_range("sinc: cutoff", cutoff, 1e-2, math.pi)
        self.size = size

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Filter each image."""
        u = draw_uniform(seeds, stream="sinc", count=3).T
        kernels = blur_kernels.sinc_kernels(self.size, torch.from_numpy(in_range(u[1], self.cutoff)))
        sizes = torch.from_numpy(np.minimum(7 + 2 * np.floor(u[2] * 8), self.size))
        return filter_images(canvas, blur_kernels.cut_to_sizes(kernels, sizes), u[0] < self.p)


class Sharpen:
    """Sharpening for each image, by an unsharp mask: edges get a bright and a dark halo.

    `x + amount * (x - blur(x))`, clamped to [0, 1], as cameras and editors do it.

    Args:
        p: Probability that an image is sharpened.
        amount: Range of the amount.
        sigma: Range of the blur's standard deviation in pixels: how wide the halos are.
        size: Kernel size, odd.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(
        self, *, p: float = 1.0, amount: Range = (0.2, 1.5), sigma: Range = (0.5, 2.0), size: int = 13
    ) -> None:
        if size < 3 or size % 2 == 0:
            raise ArgumentError(f"sharpen: size must be odd and at least 3; got {size}", where="size")
        self.p = check_share("sharpen: p", p)
        self.amount = check_range("sharpen: amount", amount, 0, 10)
        self.sigma = check_range("sharpen: sigma", sigma, 1e-2, 1e2)
        self.size = size

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Sharpen each image."""
        u = draw_uniform(seeds, stream="sharpen", count=3).T
        sigma = torch.from_numpy(in_range(u[2], self.sigma))
        amount = torch.from_numpy(in_range(u[1], self.amount))[:, None, None]
        blur = blur_kernels.gaussian_kernels(self.size, sigma, sigma, torch.zeros_like(sigma))
        kernels = (1 + amount) * blur_kernels.identity_kernels(self.size, len(seeds)) - amount * blur
        sharp = filter_images(canvas, kernels, u[0] < self.p)
        return Canvas(sharp.pixels.clamp(0, 1), canvas.heights, canvas.widths)
