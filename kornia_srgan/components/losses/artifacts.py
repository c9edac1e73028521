"""Losses against typical faults of GANs: artefacts, colour shifts, and penalties on plausible detail."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.errors import ArgumentError

# Ottosson 2020, https://bottosson.github.io/posts/oklab/: linear sRGB to cone responses, their roots to Lab.
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
_DARK = 1e-3  # cone responses below it are not rooted: the slope at black would have no bound


def artefact_map(sr: Tensor, hr: Tensor, window: int) -> Tensor:
    """Where SR departs from HR unevenly: `(B, 1, H, W)`, at least 0, without a gradient.

    The variance of the residual in a window around each pixel, times the fifth root of its variance over the
    whole image (Liang et al. 2022, equations 4 and 5). The residual is the sum of `|hr - sr|` over channels.

    Args:
        sr: `(B, C, H, W)`.
        hr: The same shape.
        window: Side of the window, odd; beyond the border the residual is mirrored where there is room.
    """
    residual = (hr - sr).detach().float().abs().sum(1, keepdim=True)
    count = window**2
    reach = window // 2
    border = "reflect" if min(residual.shape[-2:]) > reach else "replicate"
    # about its mean, so that the difference of two squares keeps its digits
    centred = residual - residual.mean((-2, -1), keepdim=True)
    wide = F.pad(centred, (reach,) * 4, mode=border)
    mean, square = F.avg_pool2d(wide, window, 1), F.avg_pool2d(wide.square(), window, 1)
    local = (square - mean.square()).clamp_min(0) * (count / (count - 1))
    correction = min(1, residual[0].numel() - 1)
    whole = residual.var((-3, -2, -1), correction=correction, keepdim=True)
    return local * whole.pow(0.2)


def ldl_loss(sr: Tensor, hr: Tensor, *, window: int = 7) -> Tensor:
    """The mean of the artefact map times `|sr - hr|`, of `(B, C, H, W)`. See `LDLLoss`."""
    sr, hr = sr.float(), hr.float()
    return (artefact_map(sr, hr, window) * (sr - hr).abs()).mean()


class LDLLoss(nn.Module):
    """Locally discriminative learning: L1 weighted by an artefact map; a float32 scalar, 0 at equality.

    Liang, Zeng & Zhang 2022, arXiv 2203.09195. A GAN's artefacts make the residual vary from pixel to pixel,
    where its welcome detail does not; the loss weighs SR's error by that variance (see `artefact_map`) and
    leaves the rest to the other losses. The map has no gradient, and is not compared with that of the running
    average's image, as the authors' is.

    Args:
        window: Side of the window of the local variance, odd, at least 3.

    Raises:
        ArgumentError: If `window` is not.
    """

    def __init__(self, *, window: int = 7) -> None:
        super().__init__()
        if window < 3 or window % 2 == 0:
            raise ArgumentError(f"window must be odd and at least 3; got {window!r}", where="window")
        self.window = window

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The mean of the map times `|sr - hr|`, of `(B, 3, H, W)` in [0, 1]."""
        return ldl_loss(sr, hr, window=self.window)


def rgb_to_oklab(rgb: Tensor) -> Tensor:
    """SRGB `(B, 3, H, W)` in [0, 1] as Oklab: lightness in [0, 1], `a` and `b` about [-0.4, 0.4].

    Ottosson 2020, https://bottosson.github.io/posts/oklab/. Near black, where the root's slope has no bound,
    it goes on as a straight line, also for values below 0; values above 1 are taken as they are.
    """
    light = torch.where(rgb > 0.04045, ((rgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    cones = torch.einsum("ij,bjhw->bihw", torch.tensor(_TO_CONES, device=rgb.device, dtype=rgb.dtype), light)
    roots = torch.where(cones > _DARK, cones.clamp_min(_DARK) ** (1 / 3), cones / _DARK ** (2 / 3))
    return torch.einsum("ij,bjhw->bihw", torch.tensor(_TO_LAB, device=rgb.device, dtype=rgb.dtype), roots)


def color_loss(sr: Tensor, hr: Tensor, *, cell: int = 8, lightness: float = 0.5) -> Tensor:
    """Mean over cells of `lightness * |dL| + |da| + |db|` in Oklab. See `ColorLoss`."""
    with torch.autocast(sr.device.type, enabled=False):
        a, b = (F.avg_pool2d(x.float(), cell, ceil_mode=True) for x in (sr, hr))
        factors = torch.tensor((lightness, 1.0, 1.0), device=a.device, dtype=a.dtype)[:, None, None]
        return ((rgb_to_oklab(a) - rgb_to_oklab(b)).abs() * factors).sum(1).mean()


class ColorLoss(nn.Module):
    """Mean distance of SR's and HR's mean colours in Oklab; a float32 scalar, 0 at equality.

    Colours are averaged over cells first: a GAN may invent detail, but a cell shall keep its colour. Oklab's
    distances are about those that people see (Ottosson 2020, https://bottosson.github.io/posts/oklab/).

    Args:
        cell: Side of the square cells in pixels; those at the right and the bottom may be smaller.
        lightness: Factor of the difference in lightness, beside 1 for `a` and `b`.

    Raises:
        ArgumentError: If `cell` is not positive or `lightness` negative.
    """

    def __init__(self, *, cell: int = 8, lightness: float = 0.5) -> None:
        super().__init__()
        if cell < 1 or lightness < 0:
            raise ArgumentError(
                f"cell must be positive and lightness at least 0; got {cell!r} and {lightness!r}",
                where="cell",
            )
        self.cell = cell
        self.lightness = lightness

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The mean over cells of `lightness * |dL| + |da| + |db|`, of `(B, 3, H, W)` in [0, 1]."""
        return color_loss(sr, hr, cell=self.cell, lightness=self.lightness)


def haar_bands(images: Tensor, level: int = 0) -> tuple[Tensor, Tensor]:
    """One level of the stationary (undecimated) Haar transform.

    Args:
        images: `(B, C, H, W)`.
        level: 0 compares neighbours, 1 pixels two apart, 2 four apart.

    Returns:
        The low band `(B, C, H, W)`, and the horizontal, vertical and diagonal details `(B, 3, C, H, W)`. Both
        are in the units of the images: the low band is a mean of four pixels. The border is repeated.
    """
    step = 2**level
    wide = F.pad(images, (0, step, 0, step), mode="replicate")
    left, right = wide[..., :-step], wide[..., step:]
    sums, differences = (left + right) / 2, (left - right) / 2
    (low, vertical), (across, diagonal) = (
        ((x[..., :-step, :] + x[..., step:, :]) / 2, (x[..., :-step, :] - x[..., step:, :]) / 2)
        for x in (sums, differences)
    )
    return low, torch.stack([across, vertical, diagonal], dim=1)


def wavelet_loss(
    sr: Tensor, hr: Tensor, *, low: float = 1.0, details: float = 0.1, levels: int = 2
) -> Tensor:
    """The weighted sum of the Haar bands' mean absolute differences. See `WaveletLoss`."""
    band = sr.float() - hr.float()  # the transform is linear
    total = band.new_zeros(())
    for level in range(levels):
        band, fine = haar_bands(band, level)
        total = total + details * fine.abs().mean((0, 2, 3, 4)).sum()
    return total + low * band.abs().mean()


class WaveletLoss(nn.Module):
    """L1 between the bands of a stationary Haar transform, each with a weight; a float32 scalar.

    Korkmaz, Tekalp & Dogan 2024, arXiv 2402.19215, who use symlets: fidelity is asked of the low band, little
    of the details, which are left to the perceptual and the adversarial loss. Unlike a pixel loss it does not
    punish texture that is plausible but lies elsewhere.

    Args:
        low: Weight of the low band that is left after all levels.
        details: Weight of each detail band.
        levels: How often the low band is split again.

    Raises:
        ArgumentError: If a weight is negative, both are 0, or there is no level.
    """

    def __init__(self, *, low: float = 1.0, details: float = 0.1, levels: int = 2) -> None:
        super().__init__()
        if low < 0 or details < 0 or low + details == 0:
            raise ArgumentError(
                f"low and details must be at least 0, one above; got {low!r} and {details!r}", where="low"
            )
        if levels < 1:
            raise ArgumentError(f"levels must be at least 1; got {levels!r}", where="levels")
        self.low = low
        self.details = details
        self.levels = levels

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The weighted sum of the bands' mean absolute differences, of `(B, 3, H, W)` in [0, 1]."""
        return wavelet_loss(sr, hr, low=self.low, details=self.details, levels=self.levels)
