"""Reduces flicker: averages, along the motion, details that a network invents in one frame only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kornia_srgan.photos.photo import Pixels, white_of
from kornia_srgan.video.motion import luma, motion, shifted

_MOST = 0.85  # share of the previous result at full strength
_NOISE = (2 / 255, 10 / 255)  # least and greatest estimate of the noise
_AROUND = 5


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
            flow = motion(luma(now), luma(self._small))
            trust = self._weight * _agreement(now, shifted(self._small, flow))
            size = fresh.shape[-2:]
            factors = flow.new_tensor([size[1] / now.shape[-1], size[0] / now.shape[-2]])[:, None, None]
            large = F.interpolate(flow, size=size, mode="bilinear", align_corners=False) * factors
            moved = shifted(self._result, large, "bicubic").clamp(0, 1)
            fresh += F.interpolate(trust, size=size, mode="bilinear", align_corners=False) * (moved - fresh)
        steady = fresh[0].movedim(0, -1).mul(65535).round().numpy().astype(np.uint16)
        self._small, self._result = now, _unit(steady)
        return steady


def flicker(frames: Sequence[Pixels], small: Sequence[Pixels]) -> float:
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
        flow = motion(luma(now), luma(before))
        trust = _agreement(now, shifted(before, flow))
        new, old = _unit(frames[number]), _unit(frames[number - 1])
        size = new.shape[-2:]
        factors = flow.new_tensor([size[1] / now.shape[-1], size[0] / now.shape[-2]])[:, None, None]
        large = F.interpolate(flow, size=size, mode="bilinear", align_corners=False) * factors
        weight = F.interpolate(trust, size=size, mode="bilinear", align_corners=False)
        off = (new - shifted(old, large, "bicubic")) * 255
        total += float((weight * off.square()).sum())
        places += 3 * float(weight.sum())
    return (total / places) ** 0.5 if places else 0.0


def _agreement(now: Tensor, moved: Tensor) -> Tensor:
    """Where two input frames agree apart from noise: `(1, 1, H, W)` in [0, 1]."""
    off = F.avg_pool2d(
        (now - moved).abs().mean(1, keepdim=True),
        _AROUND,
        stride=1,
        padding=_AROUND // 2,
        count_include_pad=False,
    )
    noise = (2 * off.median()).clamp(*_NOISE)
    return torch.exp(-((off / noise) ** 2))


def _unit(pixels: Pixels) -> Tensor:
    return (
        torch.from_numpy(pixels.astype(np.float32) / white_of(pixels.dtype)).movedim(-1, 0)[None].contiguous()
    )
