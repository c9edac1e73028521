"""Degradation stages that resize."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from kornia_srgan.components.transforms.resample import KERNELS, Kernel, resample
from kornia_srgan.components.transforms.stage_tools import Range, check_range, check_share, in_range
from kornia_srgan.contracts import Canvas
from kornia_srgan.errors import ArgumentError
from kornia_srgan.rng import draw_uniform


def _pick_kernels(kernels: tuple[Kernel, ...], uniform: np.ndarray) -> list[Kernel]:
    return [kernels[int(u * len(kernels))] for u in uniform]


def _check_kernels(stage: str, kernels: tuple[Kernel, ...]) -> tuple[Kernel, ...]:
    unknown = [k for k in kernels if k not in KERNELS]
    if unknown or not kernels:
        raise ArgumentError(
            f"{stage}: kernels must be some of {', '.join(KERNELS)}; got {list(kernels)}", where="kernels"
        )
    return kernels


class RandomResize:
    """Resize each image by its own factor.

    Args:
        shares: Probabilities of growing, shrinking and staying; they are scaled to add up to 1.
        factor: Smallest and largest factor.
        of: What the factor refers to: the image as it comes (`input`), or the size of the final result
            (`output`).
        kernels: The kernels to draw from; see `Resize`.
        p: Probability that an image draws a factor; the others have the factor 1.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        shares: tuple[float, float, float] = (0.2, 0.7, 0.1),
        factor: Range = (0.15, 1.5),
        of: Literal["input", "output"] = "input",
        kernels: tuple[Kernel, ...] = ("area", "bilinear", "bicubic"),
        p: float = 1.0,
    ) -> None:
        if len(shares) != 3 or min(shares) < 0 or sum(shares) <= 0:
            raise ArgumentError(
                "random_resize: shares needs three numbers: for growing, shrinking and staying",
                where="shares",
            )
        self.limits = np.cumsum(shares) / np.sum(shares)
        self.factor = check_range("random_resize: factor", factor, 0.1, 4)
        self.of = of
        self.kernels = _check_kernels("random_resize", kernels)
        self.p = check_share("random_resize: p", p)

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Resize each image; the new canvas has room for the largest factor."""
        u = draw_uniform(seeds, stream="random_resize", count=3).T
        way = np.searchsorted(self.limits, u[0], side="right")
        low, high = self.factor
        grown, shrunk = in_range(u[1], (1, max(1, high))), in_range(u[1], (min(1, low), 1))
        chosen = draw_uniform(seeds, stream="random_resize.p")[:, 0] < self.p
        factors = np.where(way == 0, grown, np.where(way == 1, shrunk, 1.0))
        factors = np.where(chosen, factors, 1.0)
        heights, widths = canvas.heights, canvas.widths
        room = canvas.pixels.shape[-2:]
        if self.of == "output":
            heights, widths, room = (size[0],) * len(seeds), (size[1],) * len(seeds), size
        largest = max(1.0, high)
        return resample(
            canvas,
            [max(1, round(h * f)) for h, f in zip(heights, factors, strict=True)],
            [max(1, round(w * f)) for w, f in zip(widths, factors, strict=True)],
            _pick_kernels(self.kernels, u[2]),
            room=(math.ceil(room[0] * largest), math.ceil(room[1] * largest)),
        )


class Resize:
    """Resize each image to the final size.

    The one stage without `p`: the images must get there.

    Args:
        kernels: The kernels to draw from. `area`, `bilinear` and `bicubic` are torch's `interpolate`, which
            skips pixels where it shrinks (`area` does not); `antialiased` (MATLAB's bicubic),
            `antialiased_bilinear` and `lanczos` are stretched, as image editors do it. A kernel that is named
            twice is drawn twice as often.
    """

    def __init__(self, *, kernels: tuple[Kernel, ...] = ("area", "bilinear", "bicubic")) -> None:
        self.kernels = _check_kernels("resize", kernels)

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Resize each image; the canvas is as large as they are."""
        u = draw_uniform(seeds, stream="resize")[:, 0]
        count = len(seeds)
        return resample(
            canvas, [size[0]] * count, [size[1]] * count, _pick_kernels(self.kernels, u), room=size
        )
