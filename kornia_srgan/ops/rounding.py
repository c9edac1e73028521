"""Rounds weights so that their sums are preserved."""

from __future__ import annotations

import torch
from torch import Tensor


def round_to(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Round kernels to another dtype and preserve the sum of each kernel.

    Images are smooth, so neighbouring taps of a kernel see nearly the same value, and the sum of their
    rounding errors matters more than each single error. From the largest tap to the smallest, each tap
    absorbs the error of the previous ones (error diffusion). For SRResNet in bfloat16, plain rounding costs
    0.02 dB more.

    Args:
        weight: `(O, C, kh, kw)`.
        dtype: The dtype of the result.
    """
    if weight.dtype == dtype:
        return weight
    taps = weight.double().flatten(2)
    order = taps.abs().argsort(dim=-1, descending=True)
    sorted_taps = taps.gather(-1, order)
    rounded, error = torch.empty_like(sorted_taps), torch.zeros_like(sorted_taps[..., 0])
    for index in range(sorted_taps.shape[-1]):
        wanted = sorted_taps[..., index] + error
        rounded[..., index] = wanted.to(dtype).double()
        error = wanted - rounded[..., index]
    return torch.empty_like(taps).scatter_(-1, order, rounded).reshape(weight.shape).to(dtype)
