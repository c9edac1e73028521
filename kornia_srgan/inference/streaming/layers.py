"""Layers as row operations."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.inference.streaming.row_ops import Convolution, Pointwise, Resampling, RowOp
from kornia_srgan.ops.enlarged import BilinearCells
from kornia_srgan.ops.fused import FreshSiLU, Slope


class NotByRowsError(Exception):
    """A generator has an operation that does not work row by row; it needs tiles."""


_ACTIVATIONS = (
    nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.Hardswish, nn.Mish, nn.ELU,
    nn.ReLU6, nn.Softplus, nn.Identity, nn.Dropout, nn.Dropout2d, nn.BatchNorm2d, Slope, FreshSiLU,
)  # fmt: skip
LEAVES = (*_ACTIVATIONS, BilinearCells, nn.Conv2d, nn.PixelShuffle, nn.PixelUnshuffle, nn.Upsample)


def module_op(module: nn.Module) -> RowOp:
    """Convert a layer to a row operation.

    Raises:
        NotByRowsError: If that is not possible.
    """
    if isinstance(module, nn.Conv2d):
        if not _keeps_size(module):
            raise NotByRowsError("a convolution that changes the size, or not with zeros around")
        return Convolution(module)
    if isinstance(module, _ACTIVATIONS):
        in_place = isinstance(module, Slope | FreshSiLU) or bool(getattr(module, "inplace", False))
        return Pointwise(module, in_place)
    if isinstance(module, BilinearCells):
        return Resampling(module, 1, 1, radius=1)
    if isinstance(module, nn.PixelShuffle):
        return shuffle_op(module.upscale_factor, down=False)
    if isinstance(module, nn.PixelUnshuffle):
        return shuffle_op(module.downscale_factor, down=True)
    if isinstance(module, nn.Upsample) and module.size is None:
        return interpolation_op(module.scale_factor, module.mode, module.align_corners)
    raise NotByRowsError(f"{type(module).__name__} is not done by rows")


def _keeps_size(conv: nn.Conv2d) -> bool:
    sides = list(zip(conv.kernel_size, conv.dilation, strict=True))
    wanted = tuple(d * (k // 2) for k, d in sides)
    padded = conv.padding == "same" or tuple(conv.padding) == wanted
    odd = all(k % 2 == 1 for k, _ in sides)
    return odd and padded and conv.stride == (1, 1) and conv.padding_mode == "zeros" and not conv.transposed


def shuffle_op(factor: int, *, down: bool) -> Resampling:
    """A pixel shuffle or unshuffle as a row operation."""
    if down:
        return Resampling(partial(F.pixel_unshuffle, downscale_factor=factor), factor, 1)
    return Resampling(partial(F.pixel_shuffle, upscale_factor=factor), 1, factor)


def interpolation_op(
    scale_factor: Any,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Resampling:
    """`F.interpolate` as a row operation.

    Raises:
        NotByRowsError: If the factor is not an integer, or the mode does not work by rows.
    """
    factors = set(scale_factor) if isinstance(scale_factor, tuple | list) else {scale_factor}
    factor = factors.pop()
    whole = not factors and isinstance(factor, int | float) and factor >= 1 and factor == int(factor)
    if not whole or mode not in ("nearest", "bilinear", "bicubic") or align_corners or antialias:
        raise NotByRowsError(f"interpolation '{mode}' by {scale_factor}")
    del recompute_scale_factor  # of a whole factor it makes nothing else
    options = {} if align_corners is None else {"align_corners": False}
    radius = {"nearest": 0, "bilinear": 1, "bicubic": 2}[mode]

    def enlarge(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=float(factor), mode=mode, **options)

    return Resampling(enlarge, 1, int(factor), radius)
