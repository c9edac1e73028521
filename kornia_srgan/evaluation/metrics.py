"""PSNR and SSIM in float64, per image.

Images are tensors `(B, C, H, W)`, `(C, H, W)` or `(H, W)`, or arrays `(H, W)` or `(H, W, C)`; integers are
read as they are, so give `peak=255` with uint8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

SSIM_WINDOW = 11


def psnr(image: Tensor | np.ndarray, reference: Tensor | np.ndarray, *, peak: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio in dB.

    Args:
        image: The image to score.
        reference: The true image, of the same shape.
        peak: The largest value an image can take: 1 for [0, 1], 255 for uint8.

    Returns:
        `(B,)`, float64; infinite where the two are equal.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> import torch
        >>> from kornia_srgan.evaluation.metrics import psnr
        >>> round(psnr(torch.zeros(3, 8, 8), torch.full((3, 8, 8), 0.1)).item(), 4)
        20.0
    """
    image, reference = as_batches(image, reference)
    error = (image - reference).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(peak**2 / error)


def ssim(image: Tensor | np.ndarray, reference: Tensor | np.ndarray, *, peak: float = 1.0) -> Tensor:
    """Structural similarity (Wang et al. 2004): 11x11 Gaussian of sigma 1.5, valid region, mean of channels.

    Args:
        image: The image to score; at least 11 pixels on each side.
        reference: The true image, of the same shape.
        peak: The largest value an image can take.

    Returns:
        `(B,)`, float64, at most 1.

    Raises:
        ValueError: If the shapes differ or an image is smaller than the window.
    """
    from kornia.metrics import ssim as ssim_map

    image, reference = as_batches(image, reference)
    if min(image.shape[-2:]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs at least 11x11 pixels, got {tuple(image.shape[-2:])}")
    # kornia's default padding averages over a border that the literature leaves out
    return ssim_map(image, reference, SSIM_WINDOW, max_val=float(peak), padding="valid").mean(dim=(1, 2, 3))


def studio_luma(images: Tensor) -> Tensor:
    """Studio-range Y of BT.601, as MATLAB's `rgb2ycbcr` makes it (the papers' Y channel).

    Args:
        images: RGB `(B, 3, H, W)` in [0, 1].

    Returns:
        `(B, 1, H, W)` in [16/255, 235/255], float64.
    """
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64, device=images.device)
    y = torch.einsum("bchw,c->bhw", images.double(), weights)
    return ((16.0 + y) / 255.0).unsqueeze(1)


class PSNR:
    """`psnr` as a component; infinite for equal images."""

    on: Literal["protocol", "rgb"] = "protocol"
    higher_is_better = True

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, C, H, W)` in [0, 1]: `(B,)` in dB."""
        return psnr(images, references)


class SSIM:
    """`ssim` as a component; 1 for equal images."""

    on: Literal["protocol", "rgb"] = "protocol"
    higher_is_better = True

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, C, H, W)` in [0, 1]: `(B,)`."""
        return ssim(images, references)


def as_batches(image: Tensor | np.ndarray, reference: Tensor | np.ndarray) -> tuple[Tensor, Tensor]:
    """Both as `(B, C, H, W)` float64.

    Raises:
        ValueError: If the shapes differ.
    """
    first, second = _batch(image), _batch(reference)
    if first.shape != second.shape:
        raise ValueError(
            f"images of one shape are compared, got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    return first, second


def _batch(image: Tensor | np.ndarray) -> Tensor:
    if isinstance(image, torch.Tensor):
        tensor = image.double()
    else:
        tensor = torch.from_numpy(image).double()
        tensor = tensor.permute(2, 0, 1) if tensor.ndim == 3 else tensor
    while tensor.ndim < 4:
        tensor = tensor.unsqueeze(0)
    return tensor
