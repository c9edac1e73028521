"""Estimates motion between two frames by pyramidal least squares (Lucas and Kanade 1981)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SMALLEST, _LEVELS, _ROUNDS = 16, 5, 3
_WINDOW = 9
_DAMPING = 1e-4  # of squared contrast: flat areas do not move
_STILL = 0.03  # pixels; smaller motion is noise, and shifting by it would only blur


def luma(images: Tensor) -> Tensor:
    """BT.709 luminance of `(B, 3, H, W)` in [0, 1]: `(B, 1, H, W)`."""
    weights = images.new_tensor([0.2126, 0.7152, 0.0722])[:, None, None]
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
    y, x = torch.meshgrid(
        torch.arange(height, dtype=image.dtype), torch.arange(width, dtype=image.dtype), indexing="ij"
    )
    places = torch.stack(
        [
            2 * (x + flow[0, 0]) / max(1, width - 1) - 1,
            2 * (y + flow[0, 1]) / max(1, height - 1) - 1,
        ],
        dim=-1,
    )
    return F.grid_sample(image, places[None], mode=mode, padding_mode="border", align_corners=True)


def _step(now: Tensor, moved: Tensor) -> Tensor:
    """One step of least squares for each window; at most one pixel."""
    padded = F.pad((now + moved) / 2, (1, 1, 1, 1), mode="replicate")
    right = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    off = moved - now
    xx, xy, yy, xt, yt = (
        _mean(product) for product in (right * right, right * down, down * down, right * off, down * off)
    )
    xx, yy = xx + _DAMPING, yy + _DAMPING
    det = xx * yy - xy * xy
    step = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / det
    return _mean(step.clamp(-1, 1), 3)


def _mean(values: Tensor, side: int = _WINDOW) -> Tensor:
    return F.avg_pool2d(values, side, stride=1, padding=side // 2, count_include_pad=False)
