"""Converts between stored pixel values and the generators' [0, 1]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.photo import Pixels

ArrayT = TypeVar("ArrayT", Pixels, Tensor)
_WHITE = {torch.uint8: 255, torch.uint16: 65535}


def to_unit(values: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Convert stored values to [0, 1]: integers are divided by their white, floating point is unchanged."""
    white = _WHITE.get(values.dtype)
    return values.to(dtype) if white is None else values.to(dtype) / white


def from_unit(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Clamp values to [0, 1] and convert them to a stored dtype; integers are rounded to the nearest."""
    white = _WHITE.get(dtype)
    clamped = values.clamp(0, 1)
    return clamped.to(dtype) if white is None else (clamped.float() * white).round().to(dtype)


def check_dtype(dtype: torch.dtype) -> None:
    """Refuse dtypes whose white is unknown.

    Raises:
        ImageError: If the dtype is not uint8, uint16 or floating point.
    """
    if dtype not in _WHITE and not dtype.is_floating_point:
        raise ImageError(
            f"an image of {str(dtype).removeprefix('torch.')} has no known white; "
            "use uint8, uint16 or floating point in [0, 1]"
        )


_TOLERATED = (-0.5, 1.5)  # interpolation and sharpening leave [0, 1] a little


def check_range(image: Tensor) -> None:
    """Refuse floating-point values that are not in [0, 1], such as 0 to 255 or -1 to 1, or that are NaN.

    Raises:
        ImageError: If they are not in [0, 1].
    """
    if not image.dtype.is_floating_point or not image.numel():
        return
    low, high = (float(v) for v in torch.aminmax(image))
    if _TOLERATED[0] <= low and high <= _TOLERATED[1]:
        return
    if not is_finite(image):
        raise ImageError("the image holds NaN or infinity; floating-point values must lie in [0, 1]")
    advice = "divide it by 255, or give uint8" if low >= 0 and high > 2 else "bring it to [0, 1] first"
    raise ImageError(
        f"floating-point values must lie in [0, 1]; these lie in [{low:.4g}, {high:.4g}]: {advice}"
    )


def is_finite(values: Tensor) -> bool:
    """Whether all values are finite."""
    # A sum is cheap, and finite where all values are, unless they are enormous.
    return bool(torch.isfinite(values.sum(dtype=torch.float32))) or bool(torch.isfinite(values).all())


def check_array_dtype(pixels: Pixels) -> None:
    """Raise `ImageError` unless an array is of a dtype that an image may have."""
    try:
        dtype = torch.from_numpy(np.empty(0, pixels.dtype)).dtype
    except TypeError as error:
        raise ImageError(
            f"an array of {pixels.dtype} is not an image; use uint8, uint16 or float32"
        ) from error
    check_dtype(dtype)


def planes_of(pixels: Pixels) -> Pixels:
    """An array of a grey or RGB image as `(H, W, 1 or 3)` in this machine's byte order.

    Raises:
        ImageError: If it has another shape or dtype.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[-1] if pixels.ndim == 3 else 0
    if channels not in (1, 3) or 0 in pixels.shape:
        raise ImageError(f"an array must be (H, W), (H, W, 1) or (H, W, 3) and not empty, not {pixels.shape}")
    native = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    check_array_dtype(native)
    return native.reshape(*native.shape[:2], channels)


def check_tensor(images: Tensor, *, differentiable: bool = False) -> None:
    """Raise `ImageError` unless a tensor is a batch of images, of a shape and dtype that images may have."""
    if differentiable and not images.dtype.is_floating_point:
        raise ImageError(f"only floating-point tensors are differentiable, not {images.dtype}")
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape[-2:]:
        shape = tuple(images.shape)
        raise ImageError(f"a tensor must be (B, 1 or 3, H, W) and not empty, not {shape}")
    check_dtype(images.dtype)


def fill_array(output: ArrayT, bands: Iterator[ArrayT]) -> None:
    """Write bands into an array or a tensor, `(rows, ...)`, starting at its first row."""
    row = 0
    for band in bands:
        output[row : row + len(band)] = band
        row += len(band)
