"""Converts between stored pixel values and the generators' [0, 1]: of photographs, or of a stated range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.photo import Pixels, white_of

ArrayT = TypeVar("ArrayT", Pixels, Tensor)
_WHITE = {torch.uint8: 255, torch.uint16: 65535}
_AT_ONCE = 2**20  # values that are rounded at once: 4 MB in float32


def to_unit(values: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Convert stored values to [0, 1]: integers are divided by their white, floating point is unchanged."""
    white = _WHITE.get(values.dtype)
    return values.to(dtype) if white is None else values.to(dtype) / white


def from_unit(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Clamp values to [0, 1] and convert them to a stored dtype; integers are rounded to the nearest."""
    white = _WHITE.get(dtype)
    if white is None:
        return values.clamp(0, 1).to(dtype)
    result = torch.empty_like(values, dtype=dtype)
    rows = max(1, _AT_ONCE * values.shape[-2] // max(1, values.numel()))
    for part, value in zip(result.split(rows, -2), values.detach().split(rows, -2), strict=True):
        part.copy_(value.clamp(0, 1).float().mul_(white).round_())
    return result


class Values(Protocol):
    """What stored values mean to a generator."""

    def to_unit(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """Stored values as the generator takes them."""
        ...

    def from_unit(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """What a generator gives, as stored values of a dtype."""
        ...

    def unclamped(self, values: Tensor) -> Tensor:
        """What a generator gives, in stored units of the same floating dtype; gradients flow through it."""
        ...

    def check(self, image: Tensor) -> None:
        """Raise `ImageError` for values that cannot be meant."""
        ...

    def check_dtype(self, dtype: torch.dtype) -> None:
        """Raise `ImageError` for a dtype that cannot be meant."""
        ...

    def limits(self, dtype: np.dtype[Any]) -> tuple[float, float]:
        """The lowest and highest value that a result of that dtype may have."""
        ...


class PhotoValues:
    """Black is 0; white is the largest integer of the dtype, or 1."""

    def to_unit(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """See `to_unit`."""
        return to_unit(values, dtype)

    def from_unit(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """See `from_unit`."""
        return from_unit(values, dtype)

    def unclamped(self, values: Tensor) -> Tensor:
        """As it is: floating point is [0, 1] in files too."""
        return values

    def check(self, image: Tensor) -> None:
        """See `check_range`."""
        check_unit_range(image)

    def check_dtype(self, dtype: torch.dtype) -> None:
        """See `check_dtype`."""
        check_dtype(dtype)

    def limits(self, dtype: np.dtype[Any]) -> tuple[float, float]:
        """From black to white."""
        return 0.0, white_of(dtype)


@dataclass(frozen=True)
class StatedValues:
    """`low` is 0 and `high` is 1, in every dtype; values beyond are kept as far as the dtype holds them."""

    low: float
    high: float

    def to_unit(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """Stored values, with `low` as 0 and `high` as 1."""
        return ((values.to(torch.float32) - self.low) / (self.high - self.low)).to(dtype)

    def from_unit(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """Back to stored values; integers are rounded and clamped to what their dtype holds."""
        stored = self.unclamped(values.float())
        if dtype.is_floating_point:
            return stored.to(dtype)
        info = torch.iinfo(dtype)
        return stored.round().double().clamp_(info.min, info.max).to(dtype)

    def unclamped(self, values: Tensor) -> Tensor:
        """Back to stored units."""
        return values * (self.high - self.low) + self.low

    def check(self, image: Tensor) -> None:
        """Refuse infinity."""
        if image.dtype.is_floating_point and bool(image.isinf().any()):
            raise ImageError("the image holds infinity; write NaN where there is no data")

    def check_dtype(self, dtype: torch.dtype) -> None:
        """Refuse complex numbers and truth values."""
        if dtype.is_complex or dtype == torch.bool:
            raise ImageError(f"an image of {str(dtype).removeprefix('torch.')} has no values in a range")

    def limits(self, dtype: np.dtype[Any]) -> tuple[float, float]:
        """All that the dtype holds."""
        if dtype.kind == "f":
            return -np.inf, np.inf
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)


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


def check_unit_range(image: Tensor) -> None:
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


def check_array_dtype(pixels: Pixels, values: Values) -> None:
    """Raise `ImageError` unless an array is of a dtype that an image may have."""
    try:
        dtype = torch.from_numpy(np.empty(0, pixels.dtype)).dtype
    except TypeError as error:
        raise ImageError(
            f"an array of {pixels.dtype} is not an image; use uint8, uint16 or float32"
        ) from error
    values.check_dtype(dtype)


def fill_array(output: ArrayT, bands: Iterator[ArrayT]) -> None:
    """Write bands into an array or a tensor, `(rows, ...)`, starting at its first row."""
    row = 0
    for band in bands:
        output[row : row + len(band)] = band
        row += len(band)
