"""Losses between pixels. Functions compute, modules carry the arguments, as in `kornia.losses`."""

from __future__ import annotations

from torch import Tensor, nn

from kornia_srgan.errors import ArgumentError


def _float32(sr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
    if sr.shape != hr.shape:
        raise ValueError(f"SR and HR must have one shape; got {tuple(sr.shape)} and {tuple(hr.shape)}")
    return sr.float(), hr.float()  # small differences lose their digits in half precision


def charbonnier_loss(sr: Tensor, hr: Tensor, *, eps: float = 1e-3) -> Tensor:
    """Mean of `sqrt(d^2 + eps^2)`, a float32 scalar; `eps` at equality. See `CharbonnierLoss`."""
    a, b = _float32(sr, hr)
    return ((a - b).square() + eps**2).sqrt().mean()


def spectral_angle_loss(sr: Tensor, hr: Tensor, *, eps: float = 1e-4) -> Tensor:
    """Mean angle in radians between the spectra of `(B, C, H, W)`, C at least 2. See `SpectralAngleLoss`.

    Raises:
        ArgumentError: If there is one channel only.
    """
    a, b = _float32(sr, hr)
    if a.shape[1] < 2:
        raise ArgumentError("sam compares spectra: it needs two channels or more, got 1", where="sam")
    a, b = (x / x.norm(dim=1, keepdim=True).clamp_min(eps) for x in (a, b))
    # By the chord: the arc cosine has no finite gradient where the spectra agree.
    chord = ((a - b).square().sum(1) + 1e-12).sqrt()
    return 2 * (chord / 2).clamp(max=1 - 1e-6).asin().mean()


class MSELoss(nn.Module):
    """Mean squared error of SR and HR, `(B, 3, H, W)` in [0, 1]; a float32 scalar.

    The pixel loss of the SRGAN paper (Ledig et al. 2017, arXiv 1609.04802, equation 4).

    Example:
        >>> import torch
        >>> from kornia_srgan.components.losses.pixel import MSELoss
        >>> MSELoss()(torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2))
        tensor(1.)
    """

    def __init__(self) -> None:  # nn.Module's own would take any argument
        super().__init__()

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Mean of the squared differences."""
        a, b = _float32(sr, hr)
        return (a - b).square().mean()


class L1Loss(nn.Module):
    """Mean absolute error of SR and HR, `(B, 3, H, W)` in [0, 1]; a float32 scalar."""

    def __init__(self) -> None:  # nn.Module's own would take any argument
        super().__init__()

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Mean of the absolute differences."""
        a, b = _float32(sr, hr)
        return (a - b).abs().mean()


class SpectralAngleLoss(nn.Module):
    """Mean angle between the spectra of SR's pixels and HR's, in radians; a float32 scalar.

    It sees the mixture of bands and not their brightness, so it goes beside a loss of pixels. Spectral angle
    mapper, Yuhas, Goetz and Boardman 1992.

    Args:
        eps: Length below which a spectrum has no direction.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.losses.pixel import SpectralAngleLoss
        >>> SpectralAngleLoss()(torch.full((1, 4, 2, 2), 0.2), torch.full((1, 4, 2, 2), 0.8)) < 1e-3
        tensor(True)
    """

    def __init__(self, *, eps: float = 1e-4) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The mean angle of `(B, C, H, W)`, C at least 2."""
        return spectral_angle_loss(sr, hr, eps=self.eps)


class CharbonnierLoss(nn.Module):
    """A smooth L1, the mean of `sqrt(d^2 + eps^2)`; a float32 scalar.

    Lai et al. 2017, arXiv 1704.03915. (`kornia.losses.charbonnier_loss` fixes eps = 1, too large for images
    in [0, 1].)

    Args:
        eps: Differences below it count as squares; the value of the loss at equality.

    Raises:
        ArgumentError: If `eps` is not positive.
    """

    def __init__(self, *, eps: float = 1e-3) -> None:
        super().__init__()
        if eps <= 0:
            raise ArgumentError(f"eps must be positive; got {eps!r}", where="eps")
        self.eps = eps

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Mean of the smooth absolute differences."""
        return charbonnier_loss(sr, hr, eps=self.eps)
