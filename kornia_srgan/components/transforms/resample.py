"""Resizing a batch in which every image has its own size, its own new size and its own kernel.

Each axis of each image is one row-stochastic matrix, so that a whole batch is two batched products, and an
image comes out the same whichever others are in its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from kornia_srgan.contracts import Canvas
from kornia_srgan.errors import ArgumentError
from kornia_srgan.ops.bicubic import keys_cubic

Kernel = Literal["area", "bilinear", "bicubic", "antialiased", "antialiased_bilinear", "lanczos"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)
_LEAST_SCALE = 48  # images shrink to 1/48 at the least
_LANCZOS = 3  # lobes
_MARGIN = _LANCZOS * _LEAST_SCALE  # how far the widest stretched kernel may reach over the border


def axis_matrices(
    sizes_in: Sequence[int],
    sizes_out: Sequence[int],
    kernels: Sequence[Kernel],
    *,
    room_in: int,
    room_out: int,
    device: torch.device,
) -> Tensor:
    """One axis of the resizing of each image.

    Args:
        sizes_in: Size of each image along the axis.
        sizes_out: Its new size.
        kernels: Its kernel. `area`, `bilinear` and `bicubic` (a = -0.75, not stretched when an image shrinks)
            are those of `torch.nn.functional.interpolate`. The others are stretched: `antialiased` is
            MATLAB's bicubic, `antialiased_bilinear` the triangle of Pillow and torch, `lanczos` has three
            lobes.
        room_in: Size of the canvas they lie on.
        room_out: Size of the canvas they go to; rows beyond an image repeat its last one.
        device: Where the matrices are made.

    Returns:
        float32 `(B, room_out, room_in)`; rows add up to 1.
    """

    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32).to(device)[:, None, None]

    n_in, n_out = column(sizes_in), column(sizes_out)
    ratio = n_in / n_out
    out = torch.minimum(torch.arange(room_out, device=device, dtype=torch.float32)[None, :, None], n_out - 1)
    taps = torch.arange(-_MARGIN, room_in + _MARGIN, device=device, dtype=torch.float32)[None, None, :]
    centre = (out + 0.5) * ratio - 0.5
    weights = torch.zeros(1, device=device)
    for kernel in sorted(set(kernels)):
        chosen = column([k == kernel for k in kernels]) > 0
        weights = torch.where(chosen, _weights(kernel, out, centre, taps, ratio, n_in), weights)
    return _fold(weights, taps, n_in)


def _weights(
    kernel: Kernel, out: Tensor, centre: Tensor, taps: Tensor, ratio: Tensor, n_in: Tensor
) -> Tensor:
    if kernel == "area":
        # +-1e-4: ratios that are whole numbers but for rounding must not touch the next pixel.
        first, last = torch.floor(out * ratio + 1e-4), torch.ceil((out + 1) * ratio - 1e-4)
        return ((taps >= first) & (taps < last)).float()
    if kernel == "bilinear":
        centre = torch.minimum(centre.clamp(min=0), n_in - 1)
        return (1 - (taps - centre).abs()).clamp(min=0)
    if kernel == "bicubic":
        return keys_cubic((taps - centre).abs(), -0.75)
    x = (taps - centre).abs() / ratio.clamp(min=1)
    if kernel == "antialiased_bilinear":
        return (1 - x).clamp(min=0)
    if kernel == "lanczos":
        return torch.where(x < _LANCZOS, torch.sinc(x) * torch.sinc(x / _LANCZOS), 0.0)
    return keys_cubic(x)


def _fold(weights: Tensor, taps: Tensor, n_in: Tensor) -> Tensor:
    """Let taps outside an image count for its border pixels, and rows add up to 1."""
    left = (weights * (taps <= 0)).sum(-1, keepdim=True)
    right = (weights * (taps >= n_in - 1)).sum(-1, keepdim=True)
    inside = weights * ((taps > 0) & (taps < n_in - 1))
    folded = inside + left * (taps == 0) + right * (taps == n_in - 1)
    folded = folded[..., _MARGIN:-_MARGIN]
    return folded / folded.sum(-1, keepdim=True)


def resample(
    canvas: Canvas,
    heights: Sequence[int],
    widths: Sequence[int],
    kernels: Sequence[Kernel],
    *,
    room: tuple[int, int],
) -> Canvas:
    """Resize each image of a canvas.

    Args:
        canvas: The images.
        heights: New height of each.
        widths: New width of each.
        kernels: Kernel of each.
        room: Height and width of the new canvas, at least as large as every image.

    Raises:
        ArgumentError: If an image shrinks to less than 1/48.
    """
    for old, new in zip((*canvas.heights, *canvas.widths), (*heights, *widths), strict=True):
        if new < 1 or old > new * _LEAST_SCALE:
            raise ArgumentError(
                f"cannot resize from {old} to {new} pixels; the least is 1/{_LEAST_SCALE}", where="size"
            )
    pixels = canvas.pixels
    room_in = pixels.shape[-2:]
    rows = axis_matrices(
        canvas.heights, heights, kernels, room_in=room_in[0], room_out=room[0], device=pixels.device
    )
    columns = axis_matrices(
        canvas.widths, widths, kernels, room_in=room_in[1], room_out=room[1], device=pixels.device
    )
    pixels = torch.matmul(torch.matmul(rows[:, None], pixels), columns.transpose(1, 2)[:, None])
    return Canvas(pixels, tuple(heights), tuple(widths))
