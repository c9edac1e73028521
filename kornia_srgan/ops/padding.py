"""Padding by repeating the border."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pad_to(x: Tensor, height: int, width: int) -> Tensor:
    """Repeat the border at the bottom and right up to this size; larger sides stay as they are.

    Shape: `(B, C, h, w)` to `(B, C, max(h, height), max(w, width))`.
    """
    missing = (0, max(0, width - x.shape[-1]), 0, max(0, height - x.shape[-2]))
    return F.pad(x, missing, mode="replicate") if any(missing) else x


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Repeat the border at the bottom and right until both sides are multiples of `multiple`."""
    height, width = (-(-side // multiple) * multiple for side in x.shape[-2:])
    return pad_to(x, height, width)
