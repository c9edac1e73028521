"""Mixing what belongs to one image: mixup with a turned copy, and CutBlur between degraded and clean LR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.components.transforms.degrade import real_esrgan
from kornia_srgan.components.transforms.resize import MatlabBicubic
from kornia_srgan.components.transforms.seeding import check_seeds, to_device
from kornia_srgan.contracts import Degradation
from kornia_srgan.errors import ArgumentError
from kornia_srgan.rng import draw_bits, draw_uniform


class MixUp:
    """Blends an image with itself turned by half a turn.

    Mixup blends two images of a batch; here the second is made of the first, so that an image does not depend
    on how the batch is split over processes and micro-batches. LR is made of the blend, so the pair fits.

    Zhang et al. 2018, arXiv 1710.09412; for super-resolution Yoo et al. 2020, arXiv 2004.00448.

    Args:
        p: Probability for each image.
        alpha: The blend is drawn from Beta(alpha, alpha).

    Raises:
        ArgumentError: If `p` is not in [0, 1] or `alpha` is not positive.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.transforms.mix import MixUp
        >>> MixUp(p=1.0)(torch.rand(2, 3, 8, 8), seeds=(1, 2)).shape
        torch.Size([2, 3, 8, 8])
    """

    keeps_pairs = True

    def __init__(self, *, p: float = 0.5, alpha: float = 1.2) -> None:
        _check_probability(p, "mixup")
        if alpha <= 0:
            raise ArgumentError(f"mixup: alpha must be positive, got {alpha}", where="alpha")
        self.p = p
        self.alpha = alpha

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Blend `(B, 3, H, W)` in [0, 1]; one seed per image."""
        check_seeds(images, seeds)
        chosen = draw_uniform(seeds, stream="mixup")[:, 0] < self.p
        bits = draw_bits(seeds, stream="mixup.share")[:, 0]
        shares = np.array([np.random.default_rng(int(b)).beta(self.alpha, self.alpha) for b in bits])
        share = to_device(np.where(chosen, shares, 1.0), images)[:, None, None, None]
        return share * images + (1 - share) * images.flip((-2, -1))


class CutBlur:
    """Puts a rectangle of clean LR into degraded LR, or of degraded into clean.

    So a generator learns where there is something to restore and where there is not. Clean LR is MATLAB's
    bicubic, degraded LR Real-ESRGAN's; the paper's version cuts between LR and HR and needs a network that
    takes both at one size.

    Yoo et al. 2020, arXiv 2004.00448.

    Args:
        p: Probability for each image.
        alpha: Expected side of the rectangle, as a share of the image's (the paper: 0.7).

    Raises:
        ArgumentError: If `p` is not in [0, 1] or `alpha` not in (0, 1].
    """

    def __init__(self, *, p: float = 0.5, alpha: float = 0.7) -> None:
        _check_probability(p, "cutblur")
        if not 0 < alpha <= 1:
            raise ArgumentError(f"cutblur: alpha must be in (0, 1], got {alpha}", where="alpha")
        self.p = p
        self.alpha = alpha
        self.degrade: Degradation = real_esrgan()
        self.clean = MatlabBicubic()

    @torch.no_grad()
    def __call__(self, images: Tensor, seeds: Sequence[int], size: tuple[int, int]) -> Tensor:
        """Degrade `(B, 3, H, W)` in [0, 1] to `(B, 3, *size)` in [0, 1], float32; one seed per image."""
        check_seeds(images, seeds)
        degraded, clean = self.degrade(images, seeds, size), self.clean(images.float(), size)
        cut = to_device(self.cuts(seeds, size), degraded, torch.bool)[:, None]
        return torch.where(cut, clean, degraded)

    def cuts(self, seeds: Sequence[int], size: tuple[int, int]) -> np.ndarray:
        """Where LR is clean: boolean `(B, *size)`, a function of each seed alone."""
        height, width = size
        masks = np.zeros((len(seeds), height, width), bool)
        for mask, draws in zip(masks, draw_uniform(seeds, stream="cutblur", count=6), strict=True):
            if draws[0] >= self.p:
                continue
            h, w = (max(1, round(side * self._share(d))) for side, d in zip(size, draws[1:3], strict=True))
            top, left = int(draws[3] * (height - h + 1)), int(draws[4] * (width - w + 1))
            mask[top : top + h, left : left + w] = True
            if draws[5] < 0.5:
                np.logical_not(mask, out=mask)
        return masks

    def _share(self, draw: float) -> float:
        """Spread evenly around alpha, within (0, 1]."""
        spread = min(self.alpha, 1 - self.alpha)
        return self.alpha + (2 * draw - 1) * spread


def _check_probability(p: float, name: str) -> None:
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p must be in [0, 1], got {p}", where="p")
