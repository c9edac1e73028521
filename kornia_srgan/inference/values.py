"""Between the values of stored pixels and the generators' [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from kornia_srgan.errors import ImageError

_WHITE = {torch.uint8: 255, torch.uint16: 65535}


def to_unit(values: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Stored values as numbers in [0, 1]: integers over their white, floating point as it is."""
    white = _WHITE.get(values.dtype)
    return values.to(dtype) if white is None else values.to(dtype) / white


def from_unit(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Numbers in [0, 1], clamped, as values of a stored dtype; integers are rounded to the nearest."""
    white = _WHITE.get(dtype)
    clamped = values.clamp(0, 1)
    return clamped.to(dtype) if white is None else (clamped.float() * white).round().to(dtype)


def check_dtype(dtype: torch.dtype) -> None:
    """Refuse dtypes whose white is not known.

    Raises:
        ImageError: If the dtype is not uint8, uint16 or floating point.
    """
    if dtype not in _WHITE and not dtype.is_floating_point:
        raise ImageError(
            f"an image of {str(dtype).removeprefix('torch.')} has no known white; "
            "use uint8, uint16 or floating point in [0, 1]"
        )
