"""What the pixels of a photograph say: whether it was enlarged, whether it was compressed hard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SIDE = 768  # of the middle that is looked at
_FLAT = 0.35  # grey levels of contrast; a band with less holds little more than rounding
# Largest contrast above the limit of a factor, in that of the octave below it. Of 36 photographs of the web,
# BSDS and T91 none lies below (0.25, 0.22, 0.25, 0.19); enlarged by bicubic or Lanczos, and saved as JPEG at
# quality 90, they lie at 0.22, 0.25, 0.24, 0.19 at most.
_EMPTY = {4.0: 0.25, 3.0: 0.22, 2.0: 0.22, 1.5: 0.165}


@dataclass(frozen=True)
class Detail:
    """How far a photograph's detail reaches.

    Attributes:
        enlarged: The factor by which it looks enlarged, or is out of focus; 1 where it does not.
        blocks: How much larger steps are on the grid of JPEG's 8x8 blocks than between; 1 for none.
    """

    enlarged: float
    blocks: float


def luma(image: np.ndarray) -> np.ndarray:
    """Luminance of uint8 `(H, W, 3)`: float32 `(H, W)` in [0, 255]."""
    return image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def measure_detail(image: np.ndarray) -> Detail:
    """Look at the middle of an image, uint8 `(H, W, 3)`."""
    grey = luma(_middle(image))
    return Detail(enlarged=enlargement(grey), blocks=block_steps(grey))


def _middle(image: np.ndarray) -> np.ndarray:
    """The middle, cut on the grid of 8x8 blocks."""
    top, left = (max(0, (side - _SIDE) // 2) // 8 * 8 for side in image.shape[:2])
    return image[top : top + _SIDE, left : left + _SIDE]


def enlargement(grey: np.ndarray) -> float:
    """The largest of 4, 3, 2 and 1.5 above whose limit the spectrum is all but empty; else 1.

    A photograph has about as much contrast in each octave of its spectrum (Field 1987, doi
    10.1364/JOSAA.4.002379). One that was enlarged by s has next to none above 1 / s of the finest that its
    pixels could show.

    Args:
        grey: `(H, W)` in [0, 255].
    """
    height, width = grey.shape
    if min(height, width) < 32:
        return 1.0
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    power[:, 1:-1] *= 2  # the half that rfft2 leaves out
    power /= (window**2).sum() * height * width
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]) * 2  # 1: Nyquist

    def contrast(low: float, high: float) -> float:
        return float(np.sqrt(power[(radius >= low) & (radius < high)].sum()))

    for factor, empty in _EMPTY.items():
        limit = 1 / factor
        above, below = contrast(min(1.25 * limit, 0.85), 1.0), contrast(limit / 2, limit)
        if below > _FLAT and above < empty * below:
            return factor
    return 1.0


def block_steps(grey: np.ndarray) -> float:
    """Mean step between neighbours across the borders of 8x8 blocks, over that between other neighbours.

    Args:
        grey: `(H, W)`, with a block's corner at its top left.
    """
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        if len(steps) < 24:
            return 1.0
        on = np.arange(len(steps)) % 8 == 7
        ratios.append((steps[on].mean() + 0.05) / (steps[~on].mean() + 0.05))
    return float(np.mean(ratios))
