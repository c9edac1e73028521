"""JPEG as libjpeg makes it, in batch on any device: what is lost between encoding and decoding.

Kornia's codec is made to be differentiable: it rounds softly, and its blocks are milder than real ones. On
photographs its pixels are 1 to 2 grey levels off Pillow's on average, these 0.7 at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kornia_srgan.components.transforms.seeding import to_device
from kornia_srgan.ops.luma import BT601

# ITU T.81, annex K.1
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *((99,) * 8,) * 4,
)  # fmt: skip
_TO_YCC = (BT601, (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
_HALF = 0.5 + 1e-5  # what is a half but for float32's rounding is one
_BLOCK = 8
_CELL = 2 * _BLOCK  # a block of subsampled chroma


def quantization_tables(qualities: Sequence[int]) -> np.ndarray:
    """Libjpeg's tables for qualities from 1 to 100: float32 `(B, 2, 8, 8)`, luma and chroma."""
    base = np.array((_LUMA, _CHROMA))
    scales = np.array([5000 // q if q < 50 else 200 - 2 * q for q in qualities])
    tables = (base[None] * scales[:, None, None, None] + 50) // 100
    return np.clip(tables, 1, 255).astype(np.float32)


def jpeg_codec(images: Tensor, qualities: Sequence[int], subsample: Sequence[bool]) -> Tensor:
    """Encode and decode each image.

    Args:
        images: `(B, 3, H, W)` in [0, 1]; rounded to grey levels first.
        qualities: Of each, 1 to 100.
        subsample: Whether its chroma has half the resolution (4:2:0) or all of it (4:4:4).

    Returns:
        `(B, 3, H, W)` float32, whole grey levels over 255.
    """
    height, width = images.shape[-2:]
    x = torch.round(images.float() * 255)
    x = F.pad(x, (0, -width % _CELL, 0, -height % _CELL), mode="replicate")
    to_ycc = torch.tensor(_TO_YCC, device=x.device, dtype=x.dtype)
    offset = torch.tensor((0.0, 128.0, 128.0), device=x.device, dtype=x.dtype)[:, None, None]
    ycc = torch.round(torch.einsum("ij,bjhw->bihw", to_ycc, x) + offset)
    tables = to_device(quantization_tables(qualities), x)
    luma = _code(ycc[:, :1], tables[:, :1])
    halved = to_device(np.array(subsample), x, torch.bool)[:, None, None, None]
    if all(subsample):
        chroma = _upsample(_code(_downsample(ycc[:, 1:]), tables[:, 1:]))
    else:
        chroma = _code(ycc[:, 1:], tables[:, 1:])
        if any(subsample):
            chroma = torch.where(halved, _upsample(_code(_downsample(ycc[:, 1:]), tables[:, 1:])), chroma)
    ycc = torch.cat([luma, chroma], dim=1) - offset
    rgb = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(to_ycc), ycc)
    return torch.round(rgb).clamp_(0, 255)[..., :height, :width] / 255


def _dct() -> np.ndarray:
    """The orthonormal DCT-II of eight numbers."""
    k, n = np.mgrid[:_BLOCK, :_BLOCK]
    matrix = np.cos((2 * n + 1) * k * math.pi / (2 * _BLOCK)) / 2
    matrix[0] /= math.sqrt(2)
    return matrix.astype(np.float32)


def _code(planes: Tensor, tables: Tensor) -> Tensor:
    """Round the DCT coefficients of `(B, C, H, W)` to multiples of `(B, 1, 8, 8)`; whole levels again."""
    dct = to_device(_dct(), planes)
    batch, count, height, width = planes.shape
    blocks = (planes - 128).view(batch, count, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    blocks = blocks.transpose(3, 4)
    steps = tables[:, :, None, None]
    found = torch.matmul(torch.matmul(dct, blocks), dct.T) / steps
    found = torch.copysign(torch.floor(found.abs() + _HALF), found) * steps  # halves go away from zero
    blocks = torch.matmul(torch.matmul(dct.T, found), dct)
    return torch.round(blocks.transpose(3, 4).reshape(planes.shape) + 128).clamp_(0, 255)


def _downsample(planes: Tensor) -> Tensor:
    """Means of 2x2 pixels; halves go up and down by turns along a row, as libjpeg rounds them."""
    sums = F.avg_pool2d(planes, 2) * 4
    bias = 1 + torch.arange(sums.shape[-1], device=planes.device) % 2
    return torch.floor((sums + bias) / 4)


def _upsample(planes: Tensor) -> Tensor:
    """Libjpeg's "fancy" upsampling: three quarters of the nearer pixel, one quarter of the other."""
    return torch.round(F.interpolate(planes, scale_factor=2, mode="bilinear"))
