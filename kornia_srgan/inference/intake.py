"""Checks of arrays and tensors before they are enlarged."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from kornia_srgan.errors import ImageError
from kornia_srgan.inference.values import Values, check_array_dtype
from kornia_srgan.photos.photo import Pixels
from kornia_srgan.weights.spec import describe_channels


def check_channels(count: int, channels: int, data_range: tuple[float, float] | None) -> None:
    """Refuse images of other channels than the generator's; none is left out or made up.

    Args:
        count: Channels of the image. Generators for RGB photographs take one too, which is grey.
        channels: Those of the generator.
        data_range: Its range; None for photographs.

    Raises:
        ImageError: If they differ.
    """
    usual = channels == 3 and not data_range
    if count not in ((1, 3) if usual else (channels,)):
        raise ImageError(
            f"the image has {count} channel{'s' if count != 1 else ''}, the weights are for "
            f"{describe_channels(channels, data_range)}; none is left out or made up"
        )


def checked_array(
    pixels: Pixels, channels: int, data_range: tuple[float, float] | None, values: Values
) -> Pixels:
    """An array as `(H, W, C)` in this machine's byte order.

    Raises:
        ImageError: If its shape or dtype is not supported.
    """
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise ImageError(f"an array must be (H, W) or (H, W, channels) and not empty, not {pixels.shape}")
    count = 1 if pixels.ndim == 2 else pixels.shape[-1]
    check_channels(count, channels, data_range)
    native = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    check_array_dtype(native, values)
    return native.reshape(*native.shape[:2], count)


def check_tensor(
    images: Tensor,
    channels: int,
    data_range: tuple[float, float] | None,
    values: Values,
    *,
    differentiable: bool = False,
) -> None:
    """Refuse tensors that are no batch of images, or have no gradient where one is wanted.

    Raises:
        ImageError: If the shape or the dtype is not supported.
    """
    if differentiable and not images.dtype.is_floating_point:
        raise ImageError(f"only floating-point tensors are differentiable, not {images.dtype}")
    if images.ndim != 4 or 0 in images.shape[1:]:
        shape = tuple(images.shape)
        raise ImageError(f"a tensor must be (B, C, H, W) or (C, H, W) and not empty, not {shape}")
    check_channels(images.shape[1], channels, data_range)
    values.check_dtype(images.dtype)
