"""Reduces flicker: averages, along the motion, details that a network invents in one frame only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kornia_srgan.photos.photo import Pixels, white_of
from kornia_srgan.video.motion import luma_709, mean_around, motion, shifted

_MOST = 0.85  # share of the previous result at full strength
_NOISE = (2 / 255, 10 / 255)  # least and greatest estimate of the noise
_AROUND = 5
_WHITE = 65535


class Steadier:
    """Blends each result with the previous one, compensated for motion.

    It blends only where the motion-compensated input frames agree. At cuts, in newly visible areas and for
    motion that cannot be followed, the new result is unchanged. Results are `uint16` to avoid rounding.

    Args:
        strength: From 0 (no blending) to 1.
    """

    def __init__(self, strength: float) -> None:
        self._weight = _MOST * strength
        self._small: Tensor | None = None
        self._result: Tensor | None = None

    def begin(self, small: Pixels, result: Pixels) -> None:
        """Continue after a frame.

        Args:
            small: The frame, `(H, W, 3)`.
            result: Its steadied result, `uint16`.
        """
        self._small, self._result = _unit(small), _unit(result)

    @torch.inference_mode()
    def __call__(self, small: Pixels, result: Pixels) -> Pixels:
        """Steady a result.

        Args:
            small: The frame, `(H, W, 3)`.
            result: Its enlarged version, `uint8` or `uint16`.

        Returns:
            `uint16`.
        """
        now, fresh = _unit(small), _unit(result)
        if self._small is not None and self._result is not None and self._small.shape == now.shape:
            flow = motion(luma_709(now), luma_709(self._small))
            trust = self._weight * _agreement(now, shifted(self._small, flow))
            large, weight = _enlarged(flow, trust, fresh)
            moved = shifted(self._result, large, "bicubic").clamp_(0, 1)
            fresh = torch.lerp(fresh, moved, weight)
        codes = fresh.mul_(_WHITE).round_()
        steady = codes[0].movedim(0, -1).to(torch.uint16, memory_format=torch.contiguous_format).numpy()
        self._small, self._result = now, codes.div_(_WHITE)
        return steady


def warping_error(frames: Sequence[Pixels], small: Sequence[Pixels]) -> float:
    """Measure flicker: the warping error (arXiv 1808.00449).

    Each result is compared with the previous one, compensated for the motion of the input frames, where the
    input frames agree. The value is the root mean squared difference in levels of 255; 0 is steady.

    Args:
        frames: Results, `(H, W, 3)`.
        small: The input frames; use clean ones if there are any.
    """
    total = places = 0.0
    for number in range(1, len(frames)):
        now, before = _unit(small[number]), _unit(small[number - 1])
        flow = motion(luma_709(now), luma_709(before))
        trust = _agreement(now, shifted(before, flow))
        new, old = _unit(frames[number]), _unit(frames[number - 1])
        large, weight = _enlarged(flow, trust, new)
        off = (new - shifted(old, large, "bicubic")) * 255
        total += float((weight * off.square()).sum())
        places += 3 * float(weight.sum())
    return (total / places) ** 0.5 if places else 0.0


def _enlarged(flow: Tensor, trust: Tensor, result: Tensor) -> tuple[Tensor, Tensor]:
    """Motion and trust of the small frames for the size of a result."""
    height, width = result.shape[-2:]
    factors = flow.new_tensor([width / flow.shape[-1], height / flow.shape[-2]])[:, None, None]
    both = torch.cat([flow * factors, trust], dim=1)
    large = F.interpolate(both, size=(height, width), mode="bilinear", align_corners=False)
    return large[:, :2], large[:, 2:]


def _agreement(now: Tensor, moved: Tensor) -> Tensor:
    """Where two input frames agree apart from noise: `(1, 1, H, W)` in [0, 1]."""
    off = mean_around((now - moved).abs().mean(1, keepdim=True), _AROUND)
    noise = (2 * off.median()).clamp(*_NOISE)
    return torch.exp(-((off / noise) ** 2))


def _unit(pixels: Pixels) -> Tensor:
    planes = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).movedim(-1, 0)[None]
    return planes.to(torch.float32, memory_format=torch.contiguous_format).div_(white_of(pixels.dtype))
