"""Resizes a picture row by row with Keys' cubic kernel, antialiased when it shrinks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kornia_srgan.ops.bicubic import Taps, bicubic_taps
from kornia_srgan.photos.photo import Pixels, white_of


def cubic_taps(size_in: int, size_out: int) -> Taps:
    """`bicubic_taps` without the columns that are zero everywhere."""
    taps = bicubic_taps(size_in, size_out)
    used = np.abs(taps.weights).max(axis=0) > 0
    return Taps(taps.indices[:, used], taps.weights[:, used])


def resample_bands(
    bands: Iterator[Pixels],
    size_in: tuple[int, int],
    size_out: tuple[int, int],
    limits: tuple[float, float] | None = None,
) -> Iterator[Pixels]:
    """Bands of a picture of `size_in` as bands of the picture resized to `size_out` = (height, width).

    Only the rows that the kernel still needs are kept in memory.

    Args:
        bands: The picture from top to bottom.
        size_in: Its height and width.
        size_out: Those of the result.
        limits: The lowest and highest value of the result; by default black and white of the dtype.
    """
    if size_in == size_out:
        yield from bands
        return
    rows, columns = cubic_taps(size_in[0], size_out[0]), cubic_taps(size_in[1], size_out[1])
    first, last = rows.indices.min(axis=1), rows.indices.max(axis=1)
    kept: NDArray[np.float32] | None = None
    start = done = 0  # the first row that is kept, and the output rows that are out
    for band in bands:
        across = _across(band, columns)
        kept = across if kept is None else np.concatenate([kept, across])
        available = start + len(kept)
        ready = done + int(np.searchsorted(last[done:], available, side="left"))
        if ready > done:
            yield _stored(_down(kept, start, rows, done, ready), band.dtype, limits)
            done = ready
        needed = int(first[done:].min()) if done < len(first) else available
        kept, start = kept[needed - start :], needed


def _across(band: Pixels, taps: Taps) -> NDArray[np.float32]:
    result = np.zeros((band.shape[0], len(taps.indices), band.shape[2]), np.float32)
    for index, weight in zip(taps.indices.T, taps.weights.T, strict=True):
        result += band[:, index] * weight[:, None]
    return result


def _down(kept: NDArray[np.float32], start: int, taps: Taps, begin: int, end: int) -> NDArray[np.float32]:
    result = np.zeros((end - begin, *kept.shape[1:]), np.float32)
    for index, weight in zip(taps.indices[begin:end].T, taps.weights[begin:end].T, strict=True):
        result += kept[index - start] * weight[:, None, None]
    return result


def _stored(values: NDArray[np.float32], dtype: np.dtype[Any], limits: tuple[float, float] | None) -> Pixels:
    low, high = limits or (0.0, white_of(dtype))
    if dtype.kind == "f":
        return values.clip(low, high).astype(dtype)
    return values.astype(np.float64).round().clip(low, high).astype(dtype)
