"""Estimates from a picture how much noise and compression to remove: `restore=auto`."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import as_file, files
from typing import Literal

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from kornia_srgan.errors import ArgumentError
from kornia_srgan.photos.photo import Pixels, white_of

STEPS = 20
"""Number of steps of the setting; each is a separate network, created on first use."""

_PATCH = 256
# The body's output at row i sees the 17 rows from 4 * i on, so that it can be computed some rows at a time:
# at once, the features of one megapixel take 300 MB.
_STEP, _SEEN = 4, 17
_ROWS_AT_ONCE = 16
_MOST_PATCHES = 16

# What a JPEG of that quality wants at least where it holds no noise: measured on training images held out.
_QUALITIES = (50.0, 75.0, 85.0, 92.0, 97.0, 100.0)
_AMOUNTS = (0.9, 0.7, 0.5, 0.3, 0.1, 0.0)


class RestoreEstimator(nn.Module):
    """Predicts the best value of `restore` for a picture.

    Maps `(B, 3, h, w)` in [0, 1] to `(B,)` in (0, 1), for h, w >= 32. The result is a weighted mean of
    predictions over the picture; the weights are predicted too. The targets were the mixtures of clean and
    photo results that are closest to HR, by least squares, on 1,800 LR crops from clean to noisy and
    compressed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 24, 3),
            nn.ReLU(),
            nn.Conv2d(24, 32, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(48, 48, 3),
            nn.ReLU(),
            nn.Conv2d(48, 2, 1),
        )

    def forward(self, lr: Tensor) -> Tensor:
        """The value for each image."""
        smooth = F.avg_pool2d(lr, 3, stride=1, padding=1, count_include_pad=False)
        fine = 16 * (lr - smooth)  # noise and blocks are small and fine
        rows = range(0, (lr.shape[-2] - _SEEN) // _STEP + 1, _ROWS_AT_ONCE)
        strips = [fine[:, :, _STEP * i : _STEP * (i + _ROWS_AT_ONCE - 1) + _SEEN] for i in rows]
        vote, weight = torch.cat([self.body(strip) for strip in strips], dim=-2).unbind(1)
        weight = F.softplus(weight) + 1e-6  # or a picture in which no place has a say gives 0 / 0
        return torch.sigmoid((vote * weight).sum((-1, -2)) / weight.sum((-1, -2)))


def parse_restore(text: str) -> float | Literal["auto"]:
    """Parse the setting as typed by a user.

    Raises:
        ArgumentError: If it is neither `auto` nor a number from 0 to 1.
    """
    text = text.strip().lower()
    if text in ("", "auto"):
        return "auto"
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ArgumentError(f"restore is '{text}'; it must be auto or a number from 0 to 1", where="restore")
    return value


@cache
def restore_estimator() -> RestoreEstimator:
    """The packaged estimator, in eval mode."""
    estimator = RestoreEstimator().eval()
    with as_file(files("kornia_srgan.inference") / "restore_estimator.safetensors") as path:
        estimator.load_state_dict(load_file(path))
    return estimator


@torch.inference_mode()
def restore_amount(pixels: Pixels, quality: int | None = None) -> float:
    """Estimate `restore` for a picture: 0 is clean, 1 is noisy or strongly compressed.

    For a large picture, evenly spread patches are used. The same pixels give the same value.

    Args:
        pixels: `(H, W, 1)` or `(H, W, 3)`, `uint8`, `uint16` or floating point in [0, 1].
        quality: The quality of its compression, if known; it sets a lower limit for the value.

    Returns:
        A multiple of 1 / `STEPS` in [0, 1].
    """
    patches = [_as_input(patch) for patch in _patches(pixels)]
    seen = float(torch.cat([restore_estimator()(patch) for patch in patches]).mean())
    seen = (
        seen if math.isfinite(seen) else 0.0
    )  # values that are no numbers are refused where they are enlarged
    known = 0.0 if quality is None else float(np.interp(quality, _QUALITIES, _AMOUNTS))
    return round(max(seen, known) * STEPS) / STEPS


def _patches(pixels: Pixels) -> list[Pixels]:
    """The whole picture if it is small, otherwise patches of equal size on an even grid."""
    height, width = pixels.shape[:2]
    if height * width <= _MOST_PATCHES * _PATCH**2:
        return [pixels]
    rows = _starts(height, max(1, round((_MOST_PATCHES * height / width) ** 0.5)))
    columns = _starts(width, max(1, _MOST_PATCHES // len(rows)))
    return [pixels[y : y + _PATCH, x : x + _PATCH] for y in rows for x in columns]


def _starts(size: int, count: int) -> list[int]:
    """The start positions of patches along one side: evenly spread and aligned to JPEG blocks."""
    count = min(count, max(1, size // _PATCH))
    free = max(0, size - _PATCH)
    return [int(free * (i + 0.5) / count) // 16 * 16 for i in range(count)]


def _as_input(patch: Pixels) -> Tensor:
    unit = torch.from_numpy(patch.astype(np.float32) / white_of(patch.dtype)).movedim(-1, 0)[None]
    unit = unit.expand(-1, 3, -1, -1)
    short = [max(0, 32 - side) for side in unit.shape[-2:]]
    return F.pad(unit, (0, short[1], 0, short[0]), mode="replicate") if any(short) else unit
