"""SRResNet, the generator of the SRGAN paper."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from kornia_srgan.components.generators.layers import (
    Upsampling,
    check_positive,
    conv,
    conv_before_shuffle,
    init_convolutions,
    receptive_halo,
    resize_halo,
    scale_steps,
    symmetric_to_unit,
    upsample_step,
)
from kornia_srgan.errors import ArgumentError

Norm = Literal["batch", "none"]
Output = Literal["signed", "unit", "tanh"]
BodyEnd = Literal["norm", "prelu"]


def _conv3_norm(channels: int, norm: Norm) -> list[nn.Module]:
    # A bias before BatchNorm is cancelled by its mean and would be a parameter without effect.
    if norm == "batch":
        return [conv(channels, channels, 3, bias=False), nn.BatchNorm2d(channels)]
    return [conv(channels, channels, 3)]


class ResidualBlock(nn.Module):
    """conv - norm - PReLU - conv - norm, plus its input. Shape `(B, C, H, W)` in and out."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_conv3_norm(channels, norm), nn.PReLU(), *_conv3_norm(channels, norm))

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual."""
        return x + self.layers(x)


class SRResNet(nn.Module):
    """The generator of Fig. 4: residual blocks at LR resolution, then one x2 block for each doubling.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped; any floating dtype. The
    LR image goes in as it is and the network itself answers in [-1, 1], as in the paper; `forward` maps that
    to [0, 1].

    PReLU has one slope for all channels: the paper does not say, and the published reimplementations (whose
    checkpoints should load) have one. Convolutions before BatchNorm have no bias; one found in a foreign
    checkpoint is taken up exactly by subtracting it from the BatchNorm's `running_mean`.

    Ledig et al. 2017, arXiv 1609.04802.

    Args:
        scale: Factor of enlargement, 1 to 8; 2, 4 and 8 are steps of x2 as in the paper, others their primes.
        channels: Channels of every layer (the paper: 64).
        num_blocks: Residual blocks B (the paper: 16).
        norm: `batch` as in the paper; `none` leaves BatchNorm out (convolutions then have biases).
        upsampler: `pixelshuffle` as in the paper (ICNR-initialised), or `resize`: nearest neighbour, then a
            convolution.
        output: What the last convolution gives: `signed` is [-1, 1], `tanh` the same through a tanh, `unit`
            is [0, 1] directly.
        body_end: What follows the last convolution before the long skip: `norm` as in the paper, or `prelu`
            as in early leftthomas/SRGAN checkpoints.
        bands: Channels of the images; with another number than 3, `(B, bands, h, w)` in and out.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.generators.srresnet import SRResNet
        >>> SRResNet(scale=4, channels=8, num_blocks=1)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 20, 28])
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        channels: int = 64,
        num_blocks: int = 16,
        norm: Norm = "batch",
        upsampler: Upsampling = "pixelshuffle",
        output: Output = "signed",
        body_end: BodyEnd = "norm",
        bands: int = 3,
    ) -> None:
        super().__init__()
        steps = scale_steps(scale)
        check_positive(channels=channels, num_blocks=num_blocks, bands=bands)
        if norm not in ("batch", "none"):
            raise ArgumentError(f"norm must be 'batch' or 'none'; got {norm!r}", where="norm")
        if output not in ("signed", "unit", "tanh"):
            raise ArgumentError(f"output must be 'signed', 'unit' or 'tanh'; got {output!r}", where="output")
        if body_end not in ("norm", "prelu"):
            raise ArgumentError(f"body_end must be 'norm' or 'prelu'; got {body_end!r}", where="body_end")
        self.scale = scale
        self.bands = bands
        self.output: Output = output
        halo = receptive_halo if upsampler == "pixelshuffle" else resize_halo
        self.halo = halo(4 + 2 * num_blocks + 1, steps, step_radius=1, tail_radius=4)
        self.head = nn.Sequential(conv(bands, channels, 9), nn.PReLU())
        end = _conv3_norm(channels, norm) if body_end == "norm" else [conv(channels, channels, 3), nn.PReLU()]
        self.body = nn.Sequential(*(ResidualBlock(channels, norm) for _ in range(num_blocks)), *end)
        self.upsample = nn.Sequential(*(upsample_step(channels, f, nn.PReLU, upsampler) for f in steps))
        self.tail = conv(channels, bands, 9)
        self._initialise(norm)

    @torch.no_grad()
    def _initialise(self, norm: Norm) -> None:
        init_convolutions(self, slope=0.25)  # PReLU's first slope
        self.tail.weight.mul_(0.1)  # start near mid-grey, with small first gradients
        if norm == "none":
            for block in self.body:
                if isinstance(block, ResidualBlock):
                    for layer in block.layers:
                        if isinstance(layer, nn.Conv2d):
                            layer.weight.mul_(0.3)  # without BatchNorm the sum of blocks would grow

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `lr`, `(B, 3, h, w)` in [0, 1]."""
        features = self.head(lr)
        features = features + self.body(features)
        image = self._enlarge(features)
        if self.output == "unit":
            return image
        return symmetric_to_unit(torch.tanh(image) if self.output == "tanh" else image)

    def _enlarge(self, features: Tensor) -> Tensor:
        """`tail(upsample(features))`, in training on a CPU with the last pixel shuffle after the tail.

        PReLU has one slope for all channels, so it does not mind what the pixel shuffle has not yet moved.
        """
        if not (self.training and features.device.type == "cpu" and len(self.upsample)):
            return self.tail(self.upsample(features))
        *steps, last = self.upsample
        for step in steps:
            features = step(features)
        shuffle = last[1] if isinstance(last, nn.Sequential) else None
        if not (isinstance(last, nn.Sequential) and isinstance(shuffle, nn.PixelShuffle)):
            return self.tail(last(features))
        convolution, _, activation = last
        factor = shuffle.upscale_factor
        return shuffle(conv_before_shuffle(activation(convolution(features)), self.tail, factor))
