"""Degradation stages that lose precision: noise and JPEG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kornia_srgan.components.transforms.jpeg_codec import jpeg_codec
from kornia_srgan.components.transforms.noise import add_gaussian_noise, add_poisson_noise
from kornia_srgan.components.transforms.stage_tools import (
    Range,
    check_range,
    check_share,
    in_range,
    select_images,
)
from kornia_srgan.contracts import Canvas
from kornia_srgan.rng import draw_bits, draw_uniform


class Noise:
    """Gaussian or Poisson noise for each image; the result is clamped to [0, 1].

    Args:
        p: Probability that an image gets noise.
        gaussian: Probability of Gaussian noise; else it is Poisson's.
        sigma: Range of the Gaussian's standard deviation, in grey levels of 255.
        poisson: Range of the factor on Poisson noise of 256 levels.
        grey: Probability that all three channels get the same noise.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        p: float = 1.0,
        gaussian: float = 0.5,
        sigma: Range = (1.0, 30.0),
        poisson: Range = (0.05, 3.0),
        grey: float = 0.4,
    ) -> None:
        self.p = check_share("noise: p", p)
        self.gaussian = check_share("noise: gaussian", gaussian)
        self.sigma = check_range("noise: sigma", sigma, 0, 255)
        self.poisson = check_range("noise: poisson", poisson, 0, 100)
        self.grey = check_share("noise: grey", grey)

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Add noise to each image."""
        u = draw_uniform(seeds, stream="noise", count=3).T
        chosen = (draw_uniform(seeds, stream="noise.p")[:, 0] < self.p).tolist()
        bits = draw_bits(seeds, stream="noise.pixels")[:, 0].tolist()
        grey = (u[1] < self.grey).tolist()
        sigmas, factors = in_range(u[2], self.sigma) / 255, in_range(u[2], self.poisson)
        noisy = [
            image
            if not chosen[i]
            else add_gaussian_noise(image, float(sigmas[i]), seed=bits[i], grey=grey[i])
            if u[0][i] < self.gaussian
            else add_poisson_noise(image, float(factors[i]), seed=bits[i], grey=grey[i])
            for i, image in enumerate(canvas.pixels)
        ]
        return Canvas(torch.stack(noisy).clamp_(0, 1), canvas.heights, canvas.widths)


class Jpeg:
    """JPEG compression at a quality for each image; see `jpeg_codec`.

    The codec works on the whole canvas, whose repeated border is what JPEG puts there itself.

    Args:
        p: Probability that an image is compressed.
        quality: Range of the quality, which is rounded to a whole number.
        subsample: Probability that chroma has half the resolution (4:2:0), as most files have it; else 4:4:4.
        shift: Let the grid of 8x8 blocks begin anywhere, as in a picture that was cropped after an earlier
            compression, and as training crops see it; else it begins at the top left.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        p: float = 1.0,
        quality: Range = (30.0, 95.0),
        subsample: float = 1.0,
        shift: bool = False,
    ) -> None:
        self.p = check_share("jpeg: p", p)
        self.quality = check_range("jpeg: quality", quality, 1, 100)
        self.subsample = check_share("jpeg: subsample", subsample)
        self.shift = shift

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Compress each image and decode it again; the result lies in [0, 1]."""
        u = draw_uniform(seeds, stream="jpeg", count=3).T
        chosen = u[0] < self.p
        if not chosen.any():
            return canvas
        quality = np.rint(in_range(u[1], self.quality)).astype(int).tolist()
        pixels = canvas.pixels.clamp(0, 1)
        offsets = _grid_offsets(seeds) if self.shift else [(0, 0)] * len(pixels)
        coded = jpeg_codec(_moved(pixels, offsets), quality, (u[2] < self.subsample).tolist())
        height, width = pixels.shape[-2:]
        coded = torch.stack(
            [image[:, y : y + height, x : x + width] for image, (y, x) in zip(coded, offsets, strict=True)]
        )
        return Canvas(select_images(chosen, coded, pixels), canvas.heights, canvas.widths)


def _grid_offsets(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """How far each image moves down and right, within one block of subsampled chroma."""
    drawn = (draw_uniform(seeds, stream="jpeg.shift", count=2) * 16).astype(int)
    return [(y, x) for y, x in drawn.tolist()]


def _moved(pixels: Tensor, offsets: Sequence[tuple[int, int]]) -> Tensor:
    """Each image moved down and right on a larger canvas, the border repeated."""
    if not any(map(any, offsets)):
        return pixels
    height, width = pixels.shape[-2:]
    wide = F.pad(pixels, (15, 15, 15, 15), mode="replicate")
    return torch.stack(
        [
            image[:, 15 - y : 30 - y + height, 15 - x : 30 - x + width]
            for image, (y, x) in zip(wide, offsets, strict=True)
        ]
    )
