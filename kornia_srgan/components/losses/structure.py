"""Losses on structure: SSIM, MS-SSIM, total variation (Kornia's), frequencies."""

from __future__ import annotations

import torch
from kornia.losses import MS_SSIMLoss as KorniaMSSSIM
from kornia.losses import total_variation
from kornia.metrics import ssim
from torch import Tensor, nn

from kornia_srgan.errors import ArgumentError


def ssim_loss(sr: Tensor, hr: Tensor, *, window_size: int = 11) -> Tensor:
    """1 - SSIM over the valid region; smaller images get the largest window that fits. See `SSIMLoss`."""
    side = min(sr.shape[-2:])
    window = min(window_size, side - 1 + side % 2)
    return 1 - ssim(sr.float(), hr.float(), window, padding="valid").mean()


def frequency_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean magnitude of the spectrum of the difference. See `FrequencyLoss`."""
    return torch.fft.rfft2(sr.float() - hr.float(), norm="ortho").abs().mean()


class SSIMLoss(nn.Module):
    """1 - SSIM of SR and HR, `(B, 3, H, W)` in [0, 1], over the valid region; 0 at equality.

    Wang et al. 2004, doi 10.1109/TIP.2003.819861; Kornia's SSIM with its Gaussian window of sigma 1.5.

    Args:
        window_size: Side of the window, odd; images smaller than it get the largest window that fits.

    Raises:
        ArgumentError: If `window_size` is not odd and positive.
    """

    def __init__(self, *, window_size: int = 11) -> None:
        super().__init__()
        if window_size < 1 or window_size % 2 == 0:
            raise ArgumentError(
                f"window_size must be odd and positive; got {window_size!r}", where="window_size"
            )
        self.window_size = window_size

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """One minus the mean of the SSIM map."""
        return ssim_loss(sr, hr, window_size=self.window_size)


class MSSSIMLoss(nn.Module):
    """MS-SSIM mixed with a Gaussian-weighted L1; a float32 scalar, 0 at equality.

    Zhao et al. 2017, arXiv 1511.08861 (alpha 0.84); Kornia's `MS_SSIMLoss`, whose scales are Gaussians at
    full resolution, so that any image size works.

    Args:
        alpha: Share of the MS-SSIM term; L1 has the rest.

    Raises:
        ArgumentError: If `alpha` is not in [0, 1].
    """

    def __init__(self, *, alpha: float = 0.84) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ArgumentError(f"alpha must be in [0, 1]; got {alpha!r}", where="alpha")
        self.loss = KorniaMSSSIM(alpha=alpha, compensation=1.0)

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The mean over pixels."""
        return self.loss(sr.float(), hr.float())


class TotalVariationLoss(nn.Module):
    """Mean absolute difference of neighbouring pixels of SR, down plus across; a float32 scalar.

    A regulariser: it looks at SR alone and is least for a flat image. Rudin, Osher & Fatemi 1992, doi
    10.1016/0167-2789(92)90242-F.
    """

    def __init__(self) -> None:  # nn.Module's own would take any argument
        super().__init__()

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The variation of `sr`; `hr` is not used."""
        return total_variation(sr.float(), reduction="mean").mean()


class FrequencyLoss(nn.Module):
    """Mean distance between the Fourier coefficients of SR and HR; a float32 scalar, 0 at equality.

    The coefficients are those of an orthonormal real FFT (the half plane), the distance is the magnitude of
    their complex difference, so that phase counts too. Unlike L1 between pixels it weighs a fine texture
    that is missing as much as a coarse one. Cf. Fuoli et al. 2021, arXiv 2106.00783.
    """

    def __init__(self) -> None:  # nn.Module's own would take any argument
        super().__init__()

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The mean magnitude of the spectrum of the difference."""
        return frequency_loss(sr, hr)
