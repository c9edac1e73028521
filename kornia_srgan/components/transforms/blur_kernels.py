"""Blur kernels in batch: the families of Real-ESRGAN's degradation (Wang et al. 2021, section 3).

All are float64 on the CPU, `(B, size, size)` with odd `size`, and add up to 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _grid(size: int) -> tuple[Tensor, Tensor]:
    axis = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    return axis[None, :, None], axis[None, None, :]


def cut_to_sizes(kernels: Tensor, sizes: Tensor) -> Tensor:
    """Cut each kernel down to its own odd size, zero outside, and make it add up to 1 again."""
    y, x = _grid(kernels.shape[-1])
    half = (sizes.to(torch.float64) / 2)[:, None, None]
    kernels = torch.where((y.abs() <= half) & (x.abs() <= half), kernels, 0.0)
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def quadratic_form(size: int, sigma_x: Tensor, sigma_y: Tensor, angle: Tensor) -> Tensor:
    """x^T S^-1 x on the grid, for the covariance S with these axes, the first turned by `angle` (radians)."""
    y, x = _grid(size)
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    along, across = cos * x + sin * y, -sin * x + cos * y
    return (along / sigma_x[:, None, None]) ** 2 + (across / sigma_y[:, None, None]) ** 2


def gaussian_kernels(size: int, sigma_x: Tensor, sigma_y: Tensor, angle: Tensor) -> Tensor:
    """Gaussian, isotropic where both sigmas are equal."""
    return generalized_gaussian_kernels(size, sigma_x, sigma_y, angle, torch.ones_like(sigma_x))


def generalized_gaussian_kernels(
    size: int, sigma_x: Tensor, sigma_y: Tensor, angle: Tensor, beta: Tensor
) -> Tensor:
    """exp(-(x^T S^-1 x)^beta / 2): pointed for beta < 1, boxy for beta > 1."""
    form = quadratic_form(size, sigma_x, sigma_y, angle)
    kernels = torch.exp(-0.5 * form ** beta[:, None, None])
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def plateau_kernels(size: int, sigma_x: Tensor, sigma_y: Tensor, angle: Tensor, beta: Tensor) -> Tensor:
    """1 / (1 + (x^T S^-1 x)^beta): flat in the middle, with heavy tails."""
    form = quadratic_form(size, sigma_x, sigma_y, angle)
    kernels = 1 / (1 + form ** beta[:, None, None])
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def sinc_kernels(size: int, cutoff: Tensor) -> Tensor:
    """The ideal circular low-pass filter, cut off at `cutoff` radians per pixel (at most pi)."""
    y, x = _grid(size)
    radius = torch.sqrt(y**2 + x**2).clamp(min=1e-9)
    cut = cutoff[:, None, None]
    kernels = cut * torch.special.bessel_j1(cut * radius) / (2 * math.pi * radius)
    middle = (size - 1) // 2
    kernels[:, middle, middle] = cutoff**2 / (4 * math.pi)
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def identity_kernels(size: int, count: int) -> Tensor:
    """Kernels that change nothing."""
    kernels = torch.zeros(count, size, size, dtype=torch.float64)
    kernels[:, size // 2, size // 2] = 1
    return kernels
