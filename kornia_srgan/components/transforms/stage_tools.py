"""What the stages of a degradation share: checked arguments, numbers in a range, a choice of images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.components.transforms.seeding import to_device
from kornia_srgan.errors import ArgumentError

Range = tuple[float, float]


def check_range(name: str, values: Range, low: float, high: float) -> Range:
    """The range itself, if it lies in [low, high].

    Raises:
        ArgumentError: If it does not.
    """
    if len(values) != 2 or not low <= values[0] <= values[1] <= high:
        raise ArgumentError(
            f"{name} must be two rising numbers in [{low:g}, {high:g}]; got {list(values)}", where=name
        )
    return values[0], values[1]


def check_share(name: str, value: float) -> float:
    """The probability itself, if it is one.

    Raises:
        ArgumentError: If it is not.
    """
    if not 0 <= value <= 1:
        raise ArgumentError(f"{name} is a probability, in [0, 1]; got {value}", where=name)
    return value


def in_range(uniform: np.ndarray, values: Range) -> np.ndarray:
    """Uniform numbers of [0, 1) moved to a range."""
    return values[0] + uniform * (values[1] - values[0])


def select_images(chosen: np.ndarray, changed: Tensor, pixels: Tensor) -> Tensor:
    """`changed` for the chosen images, `pixels` for the others."""
    return torch.where(to_device(chosen, pixels, torch.bool)[:, None, None, None], changed, pixels)
