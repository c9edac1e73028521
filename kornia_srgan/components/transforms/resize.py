"""Resizers, which make LR images from HR images."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kornia_srgan.ops.bicubic import bicubic_taps


@lru_cache(maxsize=64)
def bicubic_matrix(size_in: int, size_out: int) -> np.ndarray:
    """One axis of MATLAB's `imresize(..., 'bicubic')` as a matrix.

    The kernel is stretched by 1/scale when the image shrinks; indices outside are clamped to the border.

    Returns:
        float64 of shape `(size_out, size_in)`; rows add up to 1.
    """
    taps = bicubic_taps(size_in, size_out)
    matrix = np.zeros((size_out, size_in))
    rows = np.broadcast_to(np.arange(size_out)[:, None], taps.indices.shape)
    np.add.at(matrix, (rows, taps.indices), taps.weights)
    return matrix


@lru_cache(maxsize=64)
def _bicubic_tensor(size_in: int, size_out: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # what is kept must be usable in training, whoever asked for it first
        return torch.from_numpy(bicubic_matrix(size_in, size_out)).to(device=device, dtype=dtype)


def _round_to_grey_levels(images: Tensor) -> Tensor:
    return images.add_(0.5).floor_().clamp_(0, 255)


def _times_each(matrix: Tensor, planes: Tensor) -> Tensor:
    """`matrix @ plane` for each of `(N, H, W)`; torch.matmul would move the planes about first."""
    return torch.bmm(matrix.expand(len(planes), -1, -1), planes)


def matlab_bicubic(images: Tensor, size: tuple[int, int], *, quantize: bool = True) -> Tensor:
    """Resize as MATLAB's `imresize` does with the bicubic kernel. See `MatlabBicubic`.

    Args:
        images: `(B, C, H, W)` in [0, 1], floating point.
        size: Height and width of the result.
        quantize: Round to grey levels as MATLAB does on uint8; without it the result has a gradient.

    Returns:
        `(B, C, *size)` in [0, 1], float32 (float64 for float64).
    """
    height, width = images.shape[-2:]
    dtype = torch.float32 if images.device.type == "mps" else torch.float64
    rows = _bicubic_tensor(height, size[0], images.device, dtype)
    columns = _bicubic_tensor(width, size[1], images.device, dtype).T
    with torch.autocast(images.device.type, enabled=False):
        if quantize:
            with torch.no_grad():
                x = _round_to_grey_levels(images.to(dtype, copy=True).mul_(255)).flatten(0, 1)
                x = _round_to_grey_levels(_times_each(rows, x))
                x = _round_to_grey_levels(torch.matmul(x, columns)) / 255
        else:
            x = torch.matmul(_times_each(rows, images.to(dtype).flatten(0, 1)), columns).clamp(0, 1)
    x = x.unflatten(0, images.shape[:2])
    return x if images.dtype == torch.float64 else x.float()


class MatlabBicubic:
    """MATLAB's `imresize` with the bicubic kernel, bit for bit, on any device.

    This is how the LR images of the super-resolution benchmarks were made: Keys' cubic (a = -0.5), stretched
    when the image shrinks, the border repeated, rows first. It is two products with small matrices, which are
    kept for each pair of sizes. Computed in float64 (float32 on MPS, which has no other), so that neither
    autocast nor TF32 nor the order of a sum can move a grey level.

    Args:
        quantize: Take the input as uint8 (to the nearest grey level), and round half up and clamp after each
            of the two passes, as MATLAB does on uint8. The result has no gradient. With False nothing is
            rounded, the result is clamped to [0, 1], and it is differentiable.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.transforms.resize import MatlabBicubic
        >>> MatlabBicubic()(torch.rand(2, 3, 96, 96), (24, 24)).shape
        torch.Size([2, 3, 24, 24])
    """

    def __init__(self, *, quantize: bool = True) -> None:
        self.quantize = quantize

    def __call__(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize `(B, C, H, W)` in [0, 1] to `size` = (height, width); see `matlab_bicubic`."""
        return matlab_bicubic(images, size, quantize=self.quantize)


class TorchBicubic:
    """`torch.nn.functional.interpolate`; differs from MATLAB's bicubic by up to 9 grey levels.

    Args:
        mode: The kernel.
        antialias: Stretch the kernel when the image shrinks.
    """

    def __init__(self, *, mode: Literal["bicubic", "bilinear"] = "bicubic", antialias: bool = True) -> None:
        self.mode = mode
        self.antialias = antialias

    def __call__(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize `(B, C, H, W)` in [0, 1] to `size` = (height, width)."""
        return F.interpolate(images, size=size, mode=self.mode, antialias=self.antialias).clamp(0, 1)


class KorniaResize:
    """`kornia.geometry.resize`: a Gaussian blur when the image shrinks, then plain interpolation.

    Args:
        interpolation: The kernel.
        antialias: Blur first when the image shrinks.
    """

    def __init__(
        self,
        *,
        interpolation: Literal["nearest", "bilinear", "bicubic", "area"] = "bicubic",
        antialias: bool = True,
    ) -> None:
        self.interpolation = interpolation
        self.antialias = antialias

    def __call__(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize `(B, C, H, W)` in [0, 1] to `size` = (height, width)."""
        from kornia.geometry.transform import resize

        return resize(images, size, interpolation=self.interpolation, antialias=self.antialias).clamp(0, 1)
