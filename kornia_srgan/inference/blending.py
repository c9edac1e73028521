"""Blends tiles, for generators whose receptive field is larger than the overlap of tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from kornia_srgan.inference.box import Box


def blended_bands(
    enlarge: Callable[[Box], Tensor],
    rows: Iterable[list[Box]],
    *,
    blend: int,
    scale: int,
    size: tuple[int, int],
) -> Iterator[Tensor]:
    """Yield the enlarged image from top to bottom, with linear blending across the seams.

    Args:
        enlarge: Maps the pixels of a box to `(1, C, scale*h, scale*w)`.
        rows: The tiles without overlap, row by row.
        blend: LR pixels on each side of a seam that both tiles are computed for.
        scale: Of the generator.
        size: Height and width of the whole image.

    Yields:
        `(1, C, rows, scale*w)`, one band per row of tiles.
    """
    height, width = size
    waiting: Tensor | None = None  # the last rows, of which the next tiles have another version
    for row in rows:
        top, bottom = max(0, row[0].top - blend), min(height, row[0].bottom + blend)
        band, right = None, 0
        for box in row:
            wide = Box(top, max(0, box.left - blend), bottom, min(width, box.right + blend))
            piece = enlarge(wide)
            band = piece if band is None else _faded(band, piece, (right - wide.left) * scale, dim=-1)
            right = wide.right
        assert band is not None
        if waiting is not None:
            band = _faded(waiting, band, waiting.shape[-2], dim=-2)
        last = row[0].bottom == height
        kept = 0 if last else (bottom - (row[0].bottom - blend)) * scale
        done = band.shape[-2] - kept
        waiting = band[..., done:, :]
        yield band[..., :done, :]


def _faded(first: Tensor, second: Tensor, overlap: int, *, dim: int) -> Tensor:
    """Two tensors joined; over `overlap` values the first fades into the second."""
    before = first.narrow(dim, 0, first.shape[dim] - overlap)
    after = second.narrow(dim, overlap, second.shape[dim] - overlap)
    one, two = first.narrow(dim, before.shape[dim], overlap).float(), second.narrow(dim, 0, overlap).float()
    share = (torch.arange(overlap, dtype=torch.float32) + 0.5) / overlap
    mixed = torch.lerp(one, two, share.unsqueeze(-1) if dim == -2 else share)
    if not first.is_floating_point():
        mixed = mixed.round()
    return torch.cat([before, mixed.to(first.dtype), after], dim=dim)
