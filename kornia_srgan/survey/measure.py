"""Detects from its pixels whether a photograph was enlarged or strongly compressed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kornia_srgan.ops.luma import BT601

_SIDE = 768  # of the centre that is measured
_FLAT = 0.35  # grey levels; a band with less contrast is mostly rounding
# For each factor, the largest ratio of the contrast above its limit to that in the octave below. None of 36
# photographs (web, BSDS, T91) is below (0.25, 0.22, 0.25, 0.19). Enlarged by bicubic or Lanczos and saved as
# JPEG of quality 90, they have at most 0.22, 0.25, 0.24, 0.19.
_EMPTY = {4.0: 0.25, 3.0: 0.22, 2.0: 0.22, 1.5: 0.165}


@dataclass(frozen=True)
class Detail:
    """Signs of enlargement and compression in a photograph.

    Attributes:
        enlarged: The factor by which it seems enlarged (or out of focus); 1 if it does not.
        blocks: The mean step across borders of JPEG's 8x8 blocks, relative to other steps; 1 for none.
    """

    enlarged: float
    blocks: float


def luma_of_bytes(image: np.ndarray) -> np.ndarray:
    """BT.601 luma of uint8 `(H, W, 3)`: float32 `(H, W)` in [0, 255]."""
    return image.astype(np.float32) @ np.array(BT601, np.float32)


def measure_detail(image: np.ndarray) -> Detail:
    """Measure the centre of an image, uint8 `(H, W, 3)`."""
    grey = luma_of_bytes(_middle(image))
    return Detail(enlarged=enlargement(grey), blocks=block_steps(grey))


def _middle(image: np.ndarray) -> np.ndarray:
    """The centre, aligned to the grid of 8x8 blocks."""
    top, left = (max(0, (side - _SIDE) // 2) // 8 * 8 for side in image.shape[:2])
    return image[top : top + _SIDE, left : left + _SIDE]


def enlargement(grey: np.ndarray) -> float:
    """The factor by which an image seems enlarged: 4, 3, 2, 1.5 or 1.

    Photographs have about the same contrast in each octave of their spectrum (Field 1987, doi
    10.1364/JOSAA.4.002379). After enlarging by s, almost nothing is left above 1 / s of the Nyquist
    frequency. The result is the largest factor for which that is so.

    Args:
        grey: `(H, W)` in [0, 255].
    """
    height, width = grey.shape
    if min(height, width) < 32:
        return 1.0
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    power[:, 1:-1] *= 2  # the half that rfft2 leaves out
    power /= (window**2).sum() * height * width
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]) * 2  # 1: Nyquist

    def contrast(low: float, high: float) -> float:
        return float(np.sqrt(power[(radius >= low) & (radius < high)].sum()))

    for factor, empty in _EMPTY.items():
        limit = 1 / factor
        above, below = contrast(min(1.25 * limit, 0.85), 1.0), contrast(limit / 2, limit)
        if below > _FLAT and above < empty * below:
            return factor
    return 1.0


def block_steps(grey: np.ndarray) -> float:
    """The mean step between neighbours across borders of 8x8 blocks, divided by that of other neighbours.

    Args:
        grey: `(H, W)`; its top left is the corner of a block.
    """
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        if len(steps) < 24:
            return 1.0
        on = np.arange(len(steps)) % 8 == 7
        ratios.append((steps[on].mean() + 0.05) / (steps[~on].mean() + 0.05))
    return float(np.mean(ratios))
