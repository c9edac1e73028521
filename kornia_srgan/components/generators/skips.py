"""Sequences of layers with something added at their end."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Skip = Literal["bilinear", "nearest", "grey"]


class SkipBody(nn.Sequential):
    """Layers, plus their input. Shape `(B, C, H, W)` in and out."""

    def forward(self, input: Tensor) -> Tensor:
        """Add the input to what the layers make of it."""
        return input + super().forward(input)


class SkipTail(nn.Sequential):
    """The layers that enlarge features to an image, plus the enlarged LR image.

    `(B, C, h, w)` and the LR image, `(B, bands, h, w)`, to `(B, bands, scale*h, scale*w)`.

    Args:
        layers: They enlarge by `scale`.
        scale: The factor of enlargement; at 1 the LR image is added as it is.
        skip: How the LR image is enlarged; `grey` adds 0.5 instead, the middle of the range of images.
    """

    def __init__(self, *layers: nn.Module, scale: int, skip: Skip) -> None:
        super().__init__(*layers)
        self.scale = scale
        self.skip: Skip = skip

    def forward(self, input: Tensor, lr: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Enlarge features and add the enlarged `lr`."""
        detail = super().forward(input)
        if self.skip == "grey":
            return detail + 0.5
        if self.scale == 1:
            return detail + lr
        factor = float(self.scale)
        if self.skip == "nearest":
            return detail + F.interpolate(lr, scale_factor=factor, mode="nearest")
        return detail + F.interpolate(lr, scale_factor=factor, mode="bilinear", align_corners=False)
