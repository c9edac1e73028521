"""Pixels without data: filled from around before a generator sees them, and empty again in the result."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kornia_srgan.photos.photo import Pixels

FILLED = 8  # pixels that values are carried into a gap, so that its border does not ring


def fill_gaps(values: np.ndarray, gaps: np.ndarray, rest: float, steps: int = FILLED) -> np.ndarray:
    """Carry values into gaps, a pixel a step as the mean of their neighbours.

    Args:
        values: `(bands, H, W)`, anything in the gaps.
        gaps: Where there is nothing, of the same shape.
        rest: What the inside of large gaps becomes.
        steps: How far.
    """
    known = ~gaps
    filled = np.where(known, values, 0.0)
    for _ in range(steps):
        if known.all():
            break
        sums, counts = _neighbours(filled), _neighbours(known.astype(float))
        reached = ~known & (counts > 0)
        filled = np.where(reached, sums / np.maximum(counts, 1), filled)
        known = known | reached
    return np.where(known, filled, rest)


def _neighbours(planes: np.ndarray) -> np.ndarray:
    """The sum over each pixel's 3x3."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    height, width = planes.shape[1:]
    return np.sum([padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)


def enlarged_gaps(gaps: np.ndarray, height: int, width: int) -> np.ndarray:
    """Gaps `(bands, h, w)` in an image of another size: each pixel asks the one below its centre."""
    rows = ((np.arange(height) + 0.5) * gaps.shape[1] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * gaps.shape[2] / width).astype(int)
    return gaps[:, rows[:, None], columns]


def empty_again(strips: Iterator[Pixels], gaps: np.ndarray, scale: int) -> Iterator[Pixels]:
    """Strips `(rows, W, C)` of an enlarged image with NaN where `gaps`, `(C, h, w)`, had nothing."""
    large = enlarged_gaps(gaps, gaps.shape[1] * scale, gaps.shape[2] * scale)
    row = 0
    for strip in strips:
        hidden = np.moveaxis(large[:, row : row + len(strip)], 0, -1)
        row += len(strip)
        yield np.where(hidden, strip.dtype.type(np.nan), strip)
