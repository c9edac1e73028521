"""Measures the shift between the two images of a pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from kornia_srgan.survey.measure import luma_of_bytes

_SIDE = 512  # LR pixels of the centre that are compared
_FINE = 50  # parts of a pixel


@dataclass(frozen=True)
class Shift:
    """The position of an LR image relative to its HR image.

    Attributes:
        right: HR pixels by which the content of LR is too far to the right.
        down: HR pixels by which it is too low.
        trust: Height of the correlation peak relative to that of unrelated images; below 1.5, the images have
            little in common.
    """

    right: float
    down: float
    trust: float

    @property
    def length(self) -> float:
        """The length in HR pixels."""
        return float(np.hypot(self.right, self.down))


def measure_shift(hr: np.ndarray, lr: np.ndarray) -> Shift:
    """The shift between an HR image and its LR image, both uint8 `(H, W, 3)`.

    HR is shrunk to LR's size and the two are aligned by phase correlation, refined around its peak by a
    matrix-multiply Fourier transform (Guizar-Sicairos, Thurman and Fienup 2008, doi 10.1364/OL.33.000156).
    """
    height, width = lr.shape[:2]
    scale = hr.shape[0] / height
    small = np.asarray(Image.fromarray(hr).resize((width, height), Image.Resampling.BICUBIC))
    one, two = (_prepared(luma_of_bytes(_middle(image))) for image in (small, lr))
    cross = np.fft.fft2(two) * np.conj(np.fft.fft2(one))
    cross /= np.maximum(np.abs(cross), 1e-12)
    rows, columns = (np.fft.fftfreq(side) for side in cross.shape)
    # Fine detail differs between the two because of noise and aliasing.
    cross *= (np.hypot(rows[:, None], columns[None]) < 0.3) & (np.hypot(rows[:, None], columns[None]) > 0)
    peak = np.abs(np.fft.ifft2(cross))
    found = np.array(np.unravel_index(peak.argmax(), peak.shape), float)
    found = np.where(found > np.array(peak.shape) / 2, found - peak.shape, found)
    steps = np.arange(-75, 76) / _FINE
    down, right = (found[axis] + steps for axis in (0, 1))
    fine = np.abs(
        np.exp(2j * np.pi * np.outer(down, rows)) @ cross @ np.exp(2j * np.pi * np.outer(columns, right))
    )
    y, x = np.unravel_index(fine.argmax(), fine.shape)
    count = max(1.0, np.abs(cross).sum())
    # The expected maximum over all pixels for random phases; the window correlates neighbours.
    chance = np.sqrt(2.25 * np.log(cross.size) * count)
    trust = float(fine[y, x] / chance)
    return Shift(float(right[x] * scale), float(down[y] * scale), trust)


def _middle(image: np.ndarray) -> np.ndarray:
    top, left = (max(0, (side - _SIDE) // 2) for side in image.shape[:2])
    return image[top : top + _SIDE, left : left + _SIDE]


def _prepared(grey: np.ndarray) -> np.ndarray:
    """Subtract the mean and fade out the borders, which the Fourier transform would join."""
    return (grey - grey.mean()) * np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
