"""Enlarging transparency without colour fringes and without ringing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kornia_srgan.inference.values import from_unit, to_unit
from kornia_srgan.photos.photo import Pixels


def spread_visible_colour(colour: Tensor, alpha: Tensor) -> Tensor:
    """Give each fully transparent pixel the colour of the nearest visible ones.

    Editors often leave black or white in transparent areas. A generator, or any interpolation, would mix it
    into half-transparent edges. Here, visible colours are averaged into smaller and smaller images, and the
    gaps of each image are filled from the next smaller one.

    Args:
        colour: `(1, C, h, w)`, not premultiplied by alpha.
        alpha: `(1, 1, h, w)` of the same dtype.

    Returns:
        The colour, unchanged where alpha is above zero.
    """
    weight = (to_unit(alpha) > 0).float()
    if bool(weight.all()) or not bool(weight.any()):
        return colour
    unit = to_unit(colour)
    return from_unit(torch.where(weight > 0, unit, _filled(unit * weight, weight)), colour.dtype)


def _filled(colour: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean where something is known, else that of a coarser image."""
    known = weight > 0
    here = colour / weight.clamp_min(1e-12)
    height, width = weight.shape[-2:]
    if bool(known.all()) or height * width == 1:
        return here
    smaller = [F.avg_pool2d(x, 2, ceil_mode=True) for x in (colour, weight)]
    coarse = _filled(*smaller)
    around = F.interpolate(coarse, size=(height, width), mode="nearest")
    return torch.where(known, here, around)


def keep_flat_opacity(bands: Iterator[Pixels], alpha: Pixels, height: int, width: int) -> Iterator[Pixels]:
    """Remove the ringing that generators add to hard edges of the opacity.

    Where a pixel and its four neighbours have the same opacity, the result has it too.

    Args:
        bands: The enlarged opacity, `(rows, width, 1)` each.
        alpha: The original opacity, `(h, w, 1)`.
        height: Of the result.
        width: Of the result.
    """
    flat = np.ones(alpha.shape, bool)
    across, down = alpha[:, 1:] == alpha[:, :-1], alpha[1:] == alpha[:-1]
    flat[:, 1:] &= across
    flat[:, :-1] &= across
    flat[1:] &= down
    flat[:-1] &= down
    rows = np.arange(height) * alpha.shape[0] // height
    columns = np.arange(width) * alpha.shape[1] // width
    row = 0
    for band in bands:
        here = rows[row : row + len(band)]
        row += len(band)
        yield np.where(flat[here][:, columns], alpha[here][:, columns], band)
