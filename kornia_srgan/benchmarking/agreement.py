"""Checks that an engine gives the same image as this package."""

from __future__ import annotations

import torch
from torch import Tensor

from kornia_srgan.benchmarking.engines import ForwardPass
from kornia_srgan.benchmarking.schema import OURS
from kornia_srgan.errors import KorniaSRGANError

# A larger difference, relative to the output, is another image and no rounding.
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}


def check_image(output: Tensor, work: ForwardPass, reference: Tensor | None) -> None:
    """Refuse an image of another size, one that is not finite, and one that is not the reference.

    Args:
        output: What an engine gave for `work.images`.
        work: What it was given.
        reference: This package's image; None to compare with nothing.

    Raises:
        KorniaSRGANError: If the image is refused.
    """
    scale = work.network.spec.scale
    batch, channels, height, width = work.images.shape
    if output.shape != (batch, channels, scale * height, scale * width):
        raise KorniaSRGANError(f"it gave {tuple(output.shape)} for {tuple(work.images.shape)} at x{scale}")
    if not torch.isfinite(output).all():
        raise KorniaSRGANError("its output is not finite")
    if reference is not None:
        _, relative = difference(output, reference)
        if relative > _TOLERANCE[torch.bfloat16 if work.mixed else work.images.dtype]:
            raise KorniaSRGANError(f"its output differs from {OURS}'s by {relative:.2g} of the largest value")


def difference(output: Tensor, reference: Tensor) -> tuple[float, float]:
    """The largest difference of two images, and the same over the largest value of the second."""
    largest = (output - reference).abs().max().item()
    return largest, largest / max(reference.abs().max().item(), 1e-12)
