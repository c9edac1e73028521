"""Chooses the part of an image to show: by hand, by detail, or by the difference between models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kornia_srgan.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

_STEP = 4  # windows are tried at every fourth pixel


@dataclass(frozen=True)
class CropWindow:
    """A window of an image, in HR pixels from the top left."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, image: Tensor) -> Tensor:
        """Crop images `(..., H, W)` to the window."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def within(self, width: int, height: int) -> CropWindow:
        """The window, moved and if necessary reduced to fit into an image of that size."""
        own_width, own_height = min(self.width, width), min(self.height, height)
        left, top = min(self.left, width - own_width), min(self.top, height - own_height)
        return CropWindow(max(left, 0), max(top, 0), own_width, own_height)


def parse_window(text: str, size: int) -> tuple[str, CropWindow]:
    """The image's name and the window of `baboon=120,80` or `Set14/baboon=120,80,64`.

    Args:
        text: `[SET/]IMAGE=LEFT,TOP[,SIDE]`, in HR pixels.
        size: The default side.

    Raises:
        UserError: If it has another form.
    """
    match = re.fullmatch(r"(?P<image>.+)=(?P<left>\d+),(?P<top>\d+)(,(?P<side>[1-9]\d*))?", text.strip())
    if not match:
        raise UserError.at(f"--crop {text}", "expected [SET/]IMAGE=LEFT,TOP[,SIDE], such as baboon=120,80,64")
    side = int(match["side"] or size)
    return match["image"].strip(), CropWindow(int(match["left"]), int(match["top"]), side, side)


def detailed_window(image: Tensor, size: int) -> CropWindow:
    """The window with the largest mean of local differences; all of a small image.

    Args:
        image: `(1, 3, H, W)` in [0, 1].
        size: Its side.
    """
    import torch.nn.functional as F

    grey = image.double().mean(1, keepdim=True)
    return _highest((grey - F.avg_pool2d(grey, 3, 1, 1, count_include_pad=False)).abs(), size)[0]


def differing_window(images: Sequence[Tensor], size: int) -> tuple[CropWindow, float]:
    """The window in which images differ most from each other, and by how much.

    Args:
        images: Of one shape `(1, 3, H, W)` in [0, 1], two or more.
        size: Its side.

    Returns:
        The window, and the mean standard deviation between the images in it, in [0, 1].
    """
    return _highest(pixel_deviation(images), size)


def pixel_deviation(images: Sequence[Tensor]) -> Tensor:
    """Standard deviation between images `(1, 3, H, W)` at each pixel, `(1, 1, H, W)`."""
    import torch

    values = torch.cat(list(images)).double().clamp(0, 1)
    return values.std(dim=0, correction=0).mean(dim=0)[None, None]


def _highest(values: Tensor, size: int) -> tuple[CropWindow, float]:
    import torch.nn.functional as F

    height, width = values.shape[-2:]
    rows, columns = min(size, height), min(size, width)
    means = F.avg_pool2d(values, (rows, columns), stride=_STEP)
    best = int(means.argmax())
    top, left = (_STEP * position for position in divmod(best, means.shape[-1]))
    return CropWindow(left, top, columns, rows), float(means.max())
