"""The degradation stage for a camera's noise."""

from __future__ import annotations

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
from kornia_srgan.ops.luma import BT601
from kornia_srgan.rng import draw_bits, draw_uniform

_KERNEL = 15  # pixels; reaches more than three standard deviations of the widest grain
_WIDEST = 2.0
_FLAT = 1e-3  # the standard deviation of a grain that is a single pixel


class CameraNoise:
    """Noise as a camera's processing leaves it, for each image; the result is clamped to [0, 1].

    Poisson-Gaussian: its variance at a pixel of luma `Y` is `read^2 + shot * Y` (Foi et al. 2008, doi
    10.1109/TIP.2008.2001399). It is not white: demosaicking and denoising leave grains some pixels wide,
    those of colour wider than those of brightness. Brightness and colour are drawn apart: noise `n` of luma
    is the same in all channels, noise of Cb and Cr moves no luma.

    Args:
        p: Probability that an image gets noise.
        read: Range of the part that is the same everywhere, in grey levels of 255.
        shot: Range of the part that grows with the light: its standard deviation at white, in grey levels.
        grain: Range of the standard deviation, in pixels, of the Gaussian that a grain of luma is; 0 is
            white noise.
        chroma: Range of the standard deviation of Cb and Cr, as a share of luma's.
        chroma_grain: Factor of the grain for Cb and Cr.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        p: float = 1.0,
        read: Range = (0.5, 5.0),
        shot: Range = (0.5, 10.0),
        grain: Range = (0.0, 0.8),
        chroma: Range = (0.2, 1.0),
        chroma_grain: float = 1.5,
    ) -> None:
        self.p = check_share("camera_noise: p", p)
        self.read = check_range("camera_noise: read", read, 0, 255)
        self.shot = check_range("camera_noise: shot", shot, 0, 255)
        self.grain = check_range("camera_noise: grain", grain, 0, _WIDEST)
        self.chroma = check_range("camera_noise: chroma", chroma, 0, 10)
        self.chroma_grain = check_range("camera_noise: chroma_grain", (chroma_grain, chroma_grain), 0, 10)[0]

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Add noise to each image."""
        u = draw_uniform(seeds, stream="camera_noise", count=5).T
        chosen = u[0] < self.p
        if not chosen.any():
            return canvas
        pixels = canvas.pixels
        read, shot = in_range(u[1], self.read) / 255, in_range(u[2], self.shot) / 255
        share = torch.tensor(BT601, device=pixels.device, dtype=pixels.dtype)[:, None, None]
        luma = (pixels.clamp(0, 1) * share).sum(1, keepdim=True)
        deviation = (_each(read**2, pixels) + _each(shot**2, pixels) * luma).sqrt()
        noise = _in_rgb(self._fields(seeds, in_range(u[3], self.grain), in_range(u[4], self.chroma), pixels))
        noisy = (pixels + deviation * noise).clamp(0, 1)
        return Canvas(select_images(chosen, noisy, pixels), canvas.heights, canvas.widths)

    def _fields(self, seeds: Sequence[int], grain: np.ndarray, chroma: np.ndarray, like: Tensor) -> Tensor:
        """Noise of luma, of variance 1, and of Cb and Cr: `(B, 3, H, W)`."""
        bits = draw_bits(seeds, stream="camera_noise.pixels")[:, 0].tolist()
        height, width = like.shape[-2:]
        reach = _KERNEL // 2
        shape = (3, height + 2 * reach, width + 2 * reach)
        white = torch.stack([_white(shape, bit, like) for bit in bits])
        wide = np.minimum(grain * self.chroma_grain, _WIDEST)
        kernels = torch.stack([grain_kernels(grain), grain_kernels(wide), grain_kernels(wide)], dim=1)
        kernels[:, 1:] *= torch.from_numpy(chroma)[:, None, None, None]
        weights = to_device(kernels.numpy(), like).flatten(0, 1)[:, None]
        fields = torch.nn.functional.conv2d(white.flatten(0, 1)[None], weights, groups=len(weights))
        return fields[0].unflatten(0, (len(seeds), 3))


def grain_kernels(sigma: np.ndarray) -> Tensor:
    """Gaussians that turn white noise into grains and keep its variance: float64 `(B, size, size)`."""
    widths = torch.from_numpy(np.maximum(sigma, _FLAT))
    kernels = blur_kernels.gaussian_kernels(_KERNEL, widths, widths, torch.zeros_like(widths))
    return kernels / kernels.square().sum(dim=(1, 2), keepdim=True).sqrt()


def _white(shape: tuple[int, int, int], seed: int, like: Tensor) -> Tensor:
    generator = torch.Generator(like.device).manual_seed(seed & (2**63 - 1))
    return torch.randn(shape, generator=generator, device=like.device)


def _in_rgb(ycc: Tensor) -> Tensor:
    """Differences of Y, Cb and Cr (JFIF) as differences of RGB."""
    y, cb, cr = ycc.unbind(1)
    return torch.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], dim=1)


def _each(values: np.ndarray, like: Tensor) -> Tensor:
    return to_device(values, like)[:, None, None, None]
