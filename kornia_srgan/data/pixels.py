"""Reads files as pixels for cropping: 8-bit photographs, or bands with a stated range."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kornia_srgan.data.images import read_rgb, read_size
from kornia_srgan.errors import ImageError
from kornia_srgan.ops.luma import BT601
from kornia_srgan.photos.find import looks_like_picture
from kornia_srgan.rasters.read import NUMPY, raster_size, read_raster

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_LUMA = np.array(BT601)
_LEVELS = 65535
_HALF = 32768  # torch has arithmetic for signed 16 bits only


@dataclass(frozen=True)
class PixelFormat:
    """How files are read.

    Attributes:
        channels: Number of channels; 1 without a range gives the luminance of a photograph.
        range: The stored values that become 0 and 1; other values are clipped. None for photographs.
    """

    channels: int = 3
    range: tuple[float, float] | None = None

    @property
    def dtype(self) -> torch.dtype:
        """uint8 for photographs; otherwise int16 with `65535 v - 32768` for v in [0, 1]."""
        import torch

        return torch.uint8 if self.range is None else torch.int16

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes that are accepted in addition to those of pictures."""
        return () if self.range is None else (NUMPY,)

    def wanted(self, path: Path) -> bool:
        """Whether a file may be readable, by its name."""
        return path.suffix.lower() in self.suffixes or looks_like_picture(path)

    def size(self, source: str | Path | BinaryIO, name: str | Path = "") -> tuple[int, int]:
        """Read height and width from the header.

        Raises:
            ImageError: If it cannot be read, or has another number of channels.
        """
        if self.range is None:
            return read_size(source, name)
        bands, height, width = raster_size(source, name)
        self._check(bands, name or str(source))
        return height, width

    def read(self, source: str | Path | BinaryIO, name: str | Path = "") -> np.ndarray:
        """Read the pixels, `(H, W, channels)` of `dtype`; pixels without data get the lowest value.

        Raises:
            ImageError: If the file cannot be read, or has another number of channels.
        """
        if self.range is None:
            rgb = read_rgb(source, name)
            return rgb if self.channels == 3 else np.floor(rgb @ _LUMA + 0.5).astype(np.uint8)[..., None]
        bands = read_raster(source, name)
        self._check(len(bands), name or str(source))
        low, high = self.range
        unit = np.nan_to_num((bands - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
        return (np.rint(unit * _LEVELS) - _HALF).astype(np.int16).transpose(1, 2, 0)

    def _check(self, bands: int, name: str | Path) -> None:
        if bands != self.channels:
            raise ImageError(
                f"cannot read image '{name}': it has {bands} bands, the run has channels {self.channels}",
                where=name,
            )


RGB = PixelFormat()


def unit_values(pixels: Tensor) -> Tensor:
    """Convert crops to float32 in [0, 1]."""
    import torch

    if pixels.dtype == torch.int16:
        return pixels.float().add_(_HALF).div_(_LEVELS)
    return pixels.float().div_(255)
