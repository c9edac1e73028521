"""ECBSR: a plain chain of convolutions that learn with edge filters beside them."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.components.generators.layers import check_positive, conv, scale_steps
from kornia_srgan.components.generators.reparam import (
    ReparamConv2d,
    at_least_float32,
    chain_1x1,
    parameters_of,
)
from kornia_srgan.components.generators.skips import SkipTail
from kornia_srgan.errors import ArgumentError

Activation = Literal["prelu", "relu"]
_EDGES = (
    ((1, 0, -1), (2, 0, -2), (1, 0, -1)),  # Sobel across columns
    ((1, 2, 1), (0, 0, 0), (-1, -2, -1)),  # Sobel across rows
    ((0, 1, 0), (1, -4, 1), (0, 1, 0)),  # Laplace
)
_EXPAND = 2


class EdgeConv2d(ReparamConv2d):
    """3x3, 1x1 - 3x3 and three 1x1 - edge filter branches (and the input itself): one 3x3 convolution.

    `(B, inputs, H, W)` to `(B, outputs, H, W)`. The input is added where the numbers of channels agree.
    """

    edges: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.plain = conv(inputs, outputs, 3)
        self.expand = nn.Sequential(conv(inputs, outputs * _EXPAND, 1), conv(outputs * _EXPAND, outputs, 3))
        # Without biases: what is the same everywhere has no edges.
        self.mix = nn.ModuleList(conv(inputs, outputs, 1, bias=False) for _ in _EDGES)
        self.strength = nn.Parameter(torch.randn(len(_EDGES), outputs) * 1e-3)
        self.register_buffer("edges", torch.tensor(_EDGES, dtype=torch.float32), persistent=False)

    @torch.no_grad()
    def start_small(self) -> None:
        """Divide the first weights by ten, for a residual that is to begin small."""
        for layer in (self.plain, self.expand[1]):
            assert isinstance(layer, nn.Conv2d)
            layer.weight.mul_(0.1)

    def kernel(self) -> tuple[Tensor, Tensor]:
        """The kernel and bias of the one convolution."""
        weight, bias = parameters_of(self.plain)
        wide, wide_bias = chain_1x1(parameters_of(self.expand[0]), parameters_of(self.expand[1]))
        weight, bias = weight + wide, bias + wide_bias
        edges, strength = self.edges.to(weight.dtype), at_least_float32(self.strength)
        for layer, edge, strong in zip(self.mix, edges, strength, strict=True):
            assert isinstance(layer, nn.Conv2d)
            weight = weight + strong.view(-1, 1, 1, 1) * at_least_float32(layer.weight) * edge
        if self.inputs == self.outputs:
            unit = torch.eye(self.inputs, dtype=weight.dtype, device=weight.device)
            weight = weight + F.pad(unit[:, :, None, None], (1, 1, 1, 1))
        return weight, bias


class ECBSR(nn.Module):
    """A chain of re-parameterised convolutions, one pixel shuffle, plus the enlarged input.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped; any floating dtype. Folded
    by `optimize_for_inference` it is nothing but 3x3 convolutions and activations, which every processor and
    engine does well. The image is centred to [-0.5, 0.5] inside.

    Zhang, Zeng and Zhang 2021, ACM Multimedia (edge-oriented convolution block). Theirs works on luma; this
    one is for RGB.

    Args:
        scale: Factor of enlargement, 1 to 8.
        channels: Channels of every layer.
        num_blocks: Convolutions between the first and the last.
        activation: `prelu` (a slope for each channel) or `relu`.
        skip: What the last layer is added to: the `bilinear` enlarged input or its `nearest` pixels.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.generators.ecbsr import ECBSR
        >>> ECBSR(scale=4, channels=8, num_blocks=1)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 20, 28])
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 32,
        num_blocks: int = 10,
        activation: Activation = "prelu",
        skip: Literal["bilinear", "nearest"] = "bilinear",
    ) -> None:
        super().__init__()
        scale_steps(scale)
        check_positive(channels=channels, num_blocks=num_blocks)
        if activation not in ("prelu", "relu"):
            raise ArgumentError(
                f"activation must be 'prelu' or 'relu'; got {activation!r}", where="activation"
            )
        if skip not in ("bilinear", "nearest"):
            raise ArgumentError(f"skip must be 'bilinear' or 'nearest'; got {skip!r}", where="skip")
        self.scale = scale
        self.halo = num_blocks + 2
        layers: list[nn.Module] = []
        for inputs in (3, *[channels] * num_blocks):
            layers += [
                EdgeConv2d(inputs, channels),
                nn.PReLU(channels) if activation == "prelu" else nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers)
        last = EdgeConv2d(channels, 3 * scale**2)
        last.start_small()  # near the enlarged image
        self.tail = SkipTail(last, nn.PixelShuffle(scale), scale=scale, skip=skip)

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `lr`, `(B, 3, h, w)` in [0, 1]."""
        return self.tail(self.body(lr - 0.5), lr)
