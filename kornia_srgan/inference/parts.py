"""Cuts a picture into parts that are enlarged apart from each other, with the same pixels as the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from kornia_srgan.inference.streaming.streamer import Streamer
from kornia_srgan.inference.tiling import Tiling

_MOST_BYTES = 2**28  # of an enlarged part in 8 bits: some of them wait in memory
_LEAST_MARGINS = 8  # rows of a part, in margins: what is computed twice stays a small share


@dataclass(frozen=True)
class Part:
    """Rows of a picture, ends excluded.

    Attributes:
        first: The first row that is enlarged.
        stop: The row behind the last one.
        top: The first row that must be seen for it.
        bottom: The row behind the last that must be seen.
    """

    first: int
    stop: int
    top: int
    bottom: int


def parts_of(
    height: int, width: int, count: int, tiling: Tiling, streamer: Streamer | None = None
) -> list[Part]:
    """The parts of a picture; empty if it must be enlarged as a whole.

    In tiles a part is some rows of tiles. In strips a part begins some strips earlier, so that by its first
    row every layer computes the same rows at once as it does in the whole picture: the same calls on the
    same numbers give the same bits.

    Args:
        height: Of the picture.
        width: Of the picture.
        count: Parts that are computed at the same time.
        tiling: How the picture is cut into tiles.
        streamer: Enlarges it in strips, if there is one.
    """
    if streamer is not None:
        step = math.lcm(streamer.step(width), tiling.align)
        margin = -(-(streamer.reach + step) // step) * step
    elif tiling.halo is not None and tiling.tile % tiling.align == 0 and tiling.tile and not tiling.blend:
        step, margin = tiling.tile, tiling.halo
    else:
        return []
    row_bytes = 3 * width * tiling.scale**2
    rows = max(min(-(-height // (2 * count)), _MOST_BYTES // row_bytes), _LEAST_MARGINS * margin)
    rows = -(-rows // step) * step
    if rows >= height:
        return []
    grid = step if streamer is not None else tiling.align
    return [_part(first, min(first + rows, height), margin, grid, height) for first in range(0, height, rows)]


def _part(first: int, stop: int, margin: int, grid: int, height: int) -> Part:
    top = max(0, (first - margin) // grid * grid)
    return Part(first, stop, top, min(height, -(-(stop + margin) // grid) * grid))


def trimmed(bands: Iterator[Tensor], first: int, stop: int) -> Iterator[Tensor]:
    """The rows from `first` to `stop` of bands `(1, C, rows, W)`."""
    row = 0
    for band in bands:
        kept = band[:, :, max(0, first - row) : max(0, stop - row)]
        if kept.shape[-2]:
            yield kept
        row += band.shape[-2]
        if row >= stop:
            return
