"""Reads the images of a test set as tensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kornia_srgan.data.pixels import RGB, PixelFormat, unit_values
from kornia_srgan.errors import DataError
from kornia_srgan.evaluation.datasets import EvalImage, picture_size

if TYPE_CHECKING:
    from torch import Tensor

    from kornia_srgan.contracts import Resizer


def read_pair(image: EvalImage, scale: int, pixels: PixelFormat = RGB) -> tuple[Tensor, Tensor]:
    """Read LR and HR as `(1, C, H, W)` float32 in [0, 1]; HR is cropped to the area of LR.

    Args:
        image: The files.
        scale: How much larger HR is.
        pixels: What is read of each; RGB by default.

    Raises:
        DataError: If HR is smaller than the scale, or LR's size is not that of HR divided by it.
        ImageError: If a file cannot be decoded.
    """
    hr = read_image(image.hr, pixels)
    if min(hr.shape[-2:]) < scale:
        raise DataError(
            f"{image.hr} is too small for x{scale}: it has {hr.shape[-1]}x{hr.shape[-2]} pixels",
            where=image.hr,
        )
    height, width = (side - side % scale for side in hr.shape[-2:])
    hr = hr[..., :height, :width]
    if image.lr is None:
        return bicubic(pixels)(hr, (height // scale, width // scale)), hr
    lr = read_image(image.lr, pixels)
    if tuple(lr.shape[-2:]) != (height // scale, width // scale):
        raise DataError(
            f"{image.lr} has {lr.shape[-1]}x{lr.shape[-2]} pixels; x{scale} of {image.hr} "
            f"needs {width // scale}x{height // scale}",
            where=image.lr,
        )
    return lr, hr


def bicubic(pixels: PixelFormat) -> Resizer:
    """MATLAB's bicubic; without its grey levels for data of a stated range."""
    from kornia_srgan.registry.catalog import RESIZERS

    return RESIZERS.create("matlab_bicubic", quantize=pixels.range is None)


def read_image(path: Path, pixels: PixelFormat = RGB) -> Tensor:
    """Read a file as `(1, C, H, W)` float32 in [0, 1]; pixels without data are the lowest."""
    import torch

    return unit_values(torch.from_numpy(pixels.read(path)).permute(2, 0, 1).unsqueeze(0))


def image_size(path: Path, pixels: PixelFormat = RGB) -> tuple[int, int] | None:
    """Width and height by a file's header; None for a photograph where only reading the whole can tell."""
    if pixels.range is None:
        return picture_size(path)
    height, width = pixels.size(path)
    return width, height
