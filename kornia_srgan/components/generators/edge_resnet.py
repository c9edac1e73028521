"""EdgeResNet: few, deep residual blocks whose convolutions learn with edge filters beside them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.components.generators.ecbsr import EdgeConv2d
from kornia_srgan.components.generators.layers import check_positive, conv, scale_steps
from kornia_srgan.components.generators.skips import SkipTail


class EdgeBlock(nn.Module):
    """Convolutions with ReLUs between them, plus their input. Shape `(B, C, H, W)` in and out."""

    def __init__(self, channels: int, convs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(EdgeConv2d(channels, channels) for _ in range(convs))
        last = self.convs[-1]
        assert isinstance(last, EdgeConv2d)
        last.start_small()

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual."""
        first, *others = self.convs
        residual = first(x)
        for layer in others:
            residual = layer(F.relu(residual))
        return x + residual


class EdgeResNet(nn.Module):
    """Residual blocks of re-parameterised convolutions, one pixel shuffle, plus the enlarged input.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped; any floating dtype. Folded
    by `optimize_for_inference`, a block is plain 3x3 convolutions and one sum. The sums keep the features
    exact where convolutions run in bfloat16, which the chain of `ECBSR` does not. The image is centred to
    [-0.5, 0.5] inside.

    Edge convolutions: Zhang, Zeng and Zhang 2021, ACM Multimedia; residual blocks without norms: Lim et al.
    2017, arXiv 1707.02921; few and deep ones: Kong et al. 2022, arXiv 2205.07514.

    Args:
        scale: Factor of enlargement, 1 to 8.
        channels: Channels of every layer.
        num_blocks: Residual blocks.
        block_convs: Convolutions of each block.
        bands: Channels of the images; with another number than 3, `(B, bands, h, w)` in and out.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.generators.edge_resnet import EdgeResNet
        >>> EdgeResNet(scale=4, channels=8, num_blocks=1, block_convs=2)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 20, 28])
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        num_blocks: int = 3,
        block_convs: int = 3,
        bands: int = 3,
    ) -> None:
        super().__init__()
        scale_steps(scale)
        check_positive(channels=channels, num_blocks=num_blocks, block_convs=block_convs, bands=bands)
        self.scale = scale
        self.bands = bands
        self.halo = num_blocks * block_convs + 2
        self.head = conv(bands, channels, 3)
        self.body = nn.Sequential(*(EdgeBlock(channels, block_convs) for _ in range(num_blocks)))
        last = conv(channels, bands * scale**2, 3)
        with torch.no_grad():
            last.weight.mul_(0.01)  # start near the enlarged image
        self.tail = SkipTail(last, nn.PixelShuffle(scale), scale=scale, skip="bilinear")

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `lr`, `(B, bands, h, w)` in [0, 1]."""
        return self.tail(self.body(self.head(lr - 0.5)), lr)
