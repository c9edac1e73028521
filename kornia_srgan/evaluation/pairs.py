"""Reads the images of a test set as tensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kornia_srgan.errors import DataError
from kornia_srgan.evaluation.datasets import EvalImage

if TYPE_CHECKING:
    from torch import Tensor


def load_pair(image: EvalImage, scale: int) -> tuple[Tensor, Tensor]:
    """Read LR and HR as RGB `(1, 3, H, W)` float32 in [0, 1]; HR is cropped to the area of LR.

    Raises:
        DataError: If HR is smaller than the scale, or LR's size is not that of HR divided by it.
        ImageError: If a file cannot be decoded.
    """
    hr = read_image(image.hr)
    if min(hr.shape[-2:]) < scale:
        raise DataError(f"{image.hr} is too small for x{scale}: it has {hr.shape[-1]}x{hr.shape[-2]} pixels")
    height, width = (side - side % scale for side in hr.shape[-2:])
    hr = hr[..., :height, :width]
    if image.lr is None:
        from kornia_srgan.registry.catalog import RESIZERS

        return RESIZERS.create("matlab_bicubic")(hr, (height // scale, width // scale)), hr
    lr = read_image(image.lr)
    if tuple(lr.shape[-2:]) != (height // scale, width // scale):
        raise DataError(
            f"{image.lr} has {lr.shape[-1]}x{lr.shape[-2]} pixels; x{scale} of {image.hr} "
            f"needs {width // scale}x{height // scale}"
        )
    return lr, hr


def read_image(path: Path) -> Tensor:
    """Read a file as RGB `(1, 3, H, W)` float32 in [0, 1]."""
    import torch

    from kornia_srgan.data.images import read_rgb

    return torch.from_numpy(read_rgb(path)).permute(2, 0, 1).unsqueeze(0).float() / 255
