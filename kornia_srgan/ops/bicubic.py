"""Keys' cubic kernel, and MATLAB's `imresize` along one axis as weights of input pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Values = TypeVar("Values", NDArray[Any], Tensor)


def keys_cubic(distance: Values, a: float = -0.5) -> Values:
    """Keys' cubic kernel at given distances from its centre; 0 from a distance of 2.

    Args:
        distance: At least 0, in pixels.
        a: The slope at 1: -0.5 in MATLAB and in the literature, -0.75 in `torch.nn.functional.interpolate`.
    """
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return near * (distance <= 1) + far * ((distance > 1) & (distance < 2))


@dataclass(frozen=True)
class Taps:
    """Weights along one axis: output i is the sum over t of `weights[i, t] * input[indices[i, t]]`.

    Attributes:
        indices: int64 `(size_out, taps)`, clamped to the border.
        weights: float64 `(size_out, taps)`; rows add up to 1.
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]


def bicubic_taps(size_in: int, size_out: int) -> Taps:
    """The weights of MATLAB's `imresize(..., 'bicubic')`, which widens the kernel when the image shrinks."""
    scale = size_out / size_in
    shrink = min(scale, 1.0)
    width = 4.0 / shrink
    centre = (np.arange(size_out) + 0.5) / scale - 0.5
    first = np.floor(centre - width / 2).astype(np.int64)
    indices = first[:, None] + np.arange(int(np.ceil(width)) + 2)[None, :]
    weights = keys_cubic(np.abs(centre[:, None] - indices) * shrink)
    weights /= weights.sum(axis=1, keepdims=True)
    return Taps(indices.clip(0, size_in - 1), weights)
