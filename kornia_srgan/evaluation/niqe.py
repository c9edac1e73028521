"""NIQE: how far an image's local statistics are from those of natural photographs. Lower is better.

Mittal, Soundararajan and Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE Signal Processing
Letters 2013. The model of natural photographs is that of the authors' release; see `niqe_model.LICENSE`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from kornia_srgan.evaluation.metrics import studio_luma
from kornia_srgan.registry.catalog import RESIZERS

BLOCK = 96
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # horizontal, vertical, the two diagonals


def niqe(images: Tensor) -> Tensor:
    """NIQE of RGB images.

    Args:
        images: `(B, 3, H, W)` in [0, 1]. The statistics come from whole blocks of 96x96 pixels of Y, rounded
            to grey levels; what is left over at the right and bottom does not count.

    Returns:
        `(B,)`, float64; lower is better, photographs have 3 to 6. NaN for an image of fewer than two blocks.
    """
    y = (studio_luma(images) * 255).round()
    return torch.stack([_niqe(image) for image in y])


class NIQE:
    """`niqe` as a component; it ignores the reference."""

    on: Literal["protocol", "rgb"] = "rgb"
    higher_is_better = False

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, 3, H, W)` in [0, 1]: `(B,)`."""
        return niqe(images)


def _niqe(y: Tensor) -> Tensor:
    """NIQE of one Y channel `(1, H, W)` in grey levels."""
    rows, columns = (side // BLOCK for side in y.shape[-2:])
    if rows * columns < 2:
        return torch.tensor(float("nan"), dtype=torch.float64)
    full = y[None, :, : rows * BLOCK, : columns * BLOCK]
    features = torch.cat([_features(full, BLOCK), _features(_halve(full), BLOCK // 2)], dim=1)
    whole = features[~features.isnan().any(dim=1)]  # a flat block has no statistics
    if len(whole) < 2:
        return torch.tensor(float("nan"), dtype=torch.float64)
    mean, covariance = (t.to(y.device) for t in _natural_model())
    gap = mean - features.nanmean(dim=0)
    spread = torch.linalg.pinv((covariance + whole.T.cov()) / 2, hermitian=True)
    return (gap @ spread @ gap).sqrt().cpu()


def _halve(y: Tensor) -> Tensor:
    """Bicubic at half size; the border is mirrored, as the release's MATLAB did (our resizer repeats it)."""
    margin = 8
    for _ in range(2):  # rows, then columns
        y = torch.cat([y[..., :margin].flip(-1), y, y[..., -margin:].flip(-1)], dim=-1).transpose(-1, -2)
    size = (y.shape[-2] // 2, y.shape[-1] // 2)
    half = RESIZERS.create("matlab_bicubic", quantize=False)(y / 255, size) * 255
    return half[..., margin // 2 : -margin // 2, margin // 2 : -margin // 2]


@cache
def _natural_model() -> tuple[Tensor, Tensor]:
    """Mean `(36,)` and covariance `(36, 36)` of natural photographs' features."""
    import numpy as np

    with (files("kornia_srgan.evaluation") / "niqe_model.npz").open("rb") as file, np.load(file) as model:
        return torch.from_numpy(model["mean"]), torch.from_numpy(model["covariance"])


def _features(image: Tensor, block: int) -> Tensor:
    """The 18 features of each block of `(1, 1, H, W)`: `(N, 18)`."""
    normal = _normalised(image)[0, 0]
    blocks = normal.unfold(0, block, block).unfold(1, block, block).reshape(-1, block, block)
    shape, left, right = _asymmetric_gaussian(blocks)
    found = [shape, (left + right) / 2]
    for shift in _NEIGHBOURS:
        shape, left, right = _asymmetric_gaussian(blocks * blocks.roll(shift, dims=(1, 2)))
        mean = (right - left) * (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()
        found += [shape, mean, left, right]
    return torch.stack(found, dim=1)


def _normalised(image: Tensor) -> Tensor:
    """Each pixel less its neighbourhood's mean, over its deviation + 1 (equation 1)."""
    taps = torch.arange(-3, 4, dtype=image.dtype, device=image.device)
    kernel = (-(taps**2) / (2 * (7 / 6) ** 2)).exp()
    kernel = (kernel / kernel.sum()).outer(kernel / kernel.sum())[None, None]

    def blur(x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (3, 3, 3, 3), mode="replicate"), kernel)

    mean = blur(image)
    deviation = (blur(image.square()) - mean.square()).abs().sqrt()
    gap = image - mean
    # In a flat region it is rounding noise, whose sign would count as left or right of zero.
    return torch.where(gap.abs() < 1e-9, 0.0, gap / (deviation + 1))


def _asymmetric_gaussian(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit an asymmetric generalised Gaussian to each block by moments (equation 7).

    Returns:
        Shape, left scale and right scale, `(N,)` each; scales are NaN where a side has no values.
    """
    x = blocks.flatten(1)
    left, right = (_deviation(x, side) for side in (x < 0, x > 0))
    ratio = left / right
    moments = x.abs().mean(1).square() / x.square().mean(1)
    moments = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes = torch.arange(0.2, 10.001, 0.001, dtype=x.dtype, device=x.device)
    table = (2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes)).exp()
    # Without values on a side the moments are NaN; the release takes the first shape then, as argmin does.
    shape = shapes[(table - moments[:, None]).abs().argmin(1)]
    scale = ((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2).exp()
    return shape, left * scale, right * scale


def _deviation(x: Tensor, chosen: Tensor) -> Tensor:
    return ((x * chosen).square().sum(1) / chosen.sum(1)).sqrt()
