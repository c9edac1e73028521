"""Estimates motion between two frames by pyramidal least squares (Lucas and Kanade 1981)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from kornia_srgan.ops.luma import BT709

_SMALLEST, _LEVELS, _ROUNDS = 16, 5, 3
_WINDOW = 9
_DAMPING = 1e-4  # of squared contrast: flat areas do not move
_STILL = 0.03  # pixels; smaller motion is noise, and shifting by it would only blur


def luma_709(images: Tensor) -> Tensor:
    """BT.709 luma of `(B, 3, H, W)` in [0, 1]: `(B, 1, H, W)`."""
    weights = images.new_tensor(BT709)[:, None, None]
    return (images * weights).sum(1, keepdim=True)


def motion(now: Tensor, before: Tensor) -> Tensor:
    """Estimate where each pixel of a frame was in the previous frame.

    Args:
        now: `(1, 1, H, W)` in [0, 1].
        before: The previous frame, of the same shape.

    Returns:
        `(1, 2, H, W)`: right and down, in pixels, so that `shifted(before, motion)` looks like `now`.
    """
    pairs = [(now, before)]
    while len(pairs) < _LEVELS and min(pairs[-1][0].shape[-2:]) >= 2 * _SMALLEST:
        a, b = pairs[-1]
        pairs.append((F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)))
    flow = now.new_zeros((1, 2, *pairs[-1][0].shape[-2:]))
    for small_now, small_before in reversed(pairs):
        size = small_now.shape[-2:]
        if flow.shape[-2:] != size:
            flow = 2 * F.interpolate(flow, size=size, mode="bilinear", align_corners=False)
        for _ in range(_ROUNDS):
            flow = flow + _step(small_now, shifted(small_before, flow))
    still = flow.square().sum(1, keepdim=True) < _STILL**2
    return flow.masked_fill(still, 0.0)


def shifted(image: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """Sample `(1, C, H, W)` at the positions that a motion points to; the border is repeated."""
    height, width = image.shape[-2:]
    step = flow.new_tensor([2 / max(1, width - 1), 2 / max(1, height - 1)])
    places = torch.addcmul(_own_places(height, width), flow.movedim(1, -1), step)
    return F.grid_sample(image, places, mode=mode, padding_mode="border", align_corners=True)


@lru_cache(maxsize=2 * _LEVELS)
def _own_places(height: int, width: int) -> Tensor:
    """Where each pixel is, `(1, H, W, 2)` as `grid_sample` counts; the same for every frame of a clip."""
    y, x = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]


def _step(now: Tensor, moved: Tensor) -> Tensor:
    """One step of least squares for each window; at most one pixel."""
    padded = F.pad((now + moved) / 2, (1, 1, 1, 1), mode="replicate")
    right = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    off = moved - now
    products = torch.cat([right * right, right * down, down * down, right * off, down * off], dim=1)
    xx, xy, yy, xt, yt = mean_around(products).split(1, dim=1)
    xx, yy = xx + _DAMPING, yy + _DAMPING
    det = xx * yy - xy * xy
    step = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / det
    return mean_around(step.clamp(-1, 1), 3)


def mean_around(values: Tensor, side: int = _WINDOW) -> Tensor:
    """The mean of the pixels around each, `(B, C, H, W)`; pooling does the same in several times as long."""
    around = side // 2
    sums = _sums(_sums(F.pad(values, (around,) * 4), side, -1), side, -2)
    return sums * _shares(*values.shape[-2:], side)


def _sums(values: Tensor, side: int, dim: int) -> Tensor:
    """Sums of neighbours: of two, of two of these, and so on, so that nine take four additions."""
    length = values.shape[dim] - side + 1
    total, start, block, size = None, 0, values, 1
    while size <= side:
        if side & size:
            part = block.narrow(dim, start, length)
            total, start = part if total is None else total + part, start + size
        if 2 * size <= side:
            rest = block.shape[dim] - size
            block = block.narrow(dim, 0, rest) + block.narrow(dim, size, rest)
        size *= 2
    assert total is not None
    return total


@lru_cache(maxsize=4 * _LEVELS)
def _shares(height: int, width: int, side: int) -> Tensor:
    """One over how many pixels of an image are around each."""
    ones = torch.ones(1, 1, height, width)
    return 1 / _sums(_sums(F.pad(ones, (side // 2,) * 4), side, -1), side, -2)
