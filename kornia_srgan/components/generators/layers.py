"""What several generators share: upsampling by steps, initialisation, receptive radius."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from kornia_srgan.errors import ArgumentError

Upsampling = Literal["pixelshuffle", "resize"]
MAX_SCALE = 8


def scale_steps(scale: int) -> tuple[int, ...]:
    """The prime factors of a scale in ascending order: 8 is (2, 2, 2), 3 is (3,), 1 is ().

    Raises:
        ArgumentError: If the scale is not a whole number from 1 to 8.
    """
    if isinstance(scale, bool) or not isinstance(scale, int) or not 1 <= scale <= MAX_SCALE:
        raise ArgumentError(
            f"scale must be a whole number from 1 to {MAX_SCALE}; got {scale!r}", where="scale"
        )
    steps = []
    factor = 2
    while scale > 1:
        while scale % factor == 0:
            steps.append(factor)
            scale //= factor
        factor += 1
    return tuple(steps)


def check_positive(**values: int) -> None:
    """Raise `ArgumentError` for the first value that is not a whole number of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ArgumentError(f"{name} must be a whole number of at least 1; got {value!r}", where=name)


def conv(inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    """A convolution of stride 1 that keeps the size (odd kernel, zero padding)."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


def upsample_step(
    channels: int, factor: int, activation: Callable[[], nn.Module] | None, kind: Upsampling
) -> nn.Sequential:
    """One enlargement by `factor`: convolution and pixel shuffle, or nearest neighbour and convolution.

    The resize-convolution cannot make checkerboards (Odena et al. 2016,
    distill.pub/2016/deconv-checkerboard); the pixel shuffle starts without them (ICNR) and is cheaper.
    Shapes: `(B, C, H, W)` to `(B, C, factor*H, factor*W)`.
    """
    if kind == "pixelshuffle":
        layers: list[nn.Module] = [conv(channels, channels * factor**2, 3), nn.PixelShuffle(factor)]
    elif kind == "resize":
        layers = [nn.Upsample(scale_factor=factor, mode="nearest"), conv(channels, channels, 3)]
    else:
        raise ArgumentError(f"upsampler must be 'pixelshuffle' or 'resize'; got {kind!r}", where="upsampler")
    return nn.Sequential(*layers, *([activation()] if activation is not None else []))


@torch.no_grad()
def icnr_(convolution: nn.Conv2d, factor: int) -> None:
    """Give all sub-pixels of a pixel shuffle the same filter, so that it starts as nearest neighbour.

    Aitken et al. 2017, arXiv 1707.02937. Shape of the weight: `(C*factor^2, ...)`.
    """
    first = convolution.weight[:: factor**2]
    convolution.weight.copy_(first.repeat_interleave(factor**2, dim=0))


@torch.no_grad()
def init_convolutions(module: nn.Module, *, slope: float) -> None:
    """Kaiming-normal weights for (leaky) ReLUs of that slope, zero biases, ICNR before pixel shuffles."""
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            nn.init.kaiming_normal_(child.weight, a=slope, nonlinearity="leaky_relu")
            if child.bias is not None:
                nn.init.zeros_(child.bias)
    for child in module.modules():
        if isinstance(child, nn.Sequential):
            for before, after in pairwise(child):
                if isinstance(before, nn.Conv2d) and isinstance(after, nn.PixelShuffle):
                    icnr_(before, after.upscale_factor)


def kernel_before_shuffle(weight: Tensor, factor: int) -> Tensor:
    """The kernel that gives, before a pixel shuffle, what `weight` gives after it.

    An output pixel at phase p of its block reads, at kernel position i, the pixel at `p + i - k // 2`, which
    is phase `(p + i - k // 2) % factor` of the block `(p + i - k // 2) // factor` away. So each of the
    `factor**2` phases becomes an output channel of a kernel that reaches `ceil((k // 2) / factor)` blocks:
    9x9 on 64 channels becomes 5x5 on 256. Zero padding of so many blocks keeps the size and gives the same
    border.

    Args:
        weight: `(O, C, k, k)`, k odd; of a convolution of stride 1 with zero padding that keeps the size. The
            gradient flows back to it.
        factor: The factor of the pixel shuffle.

    Returns:
        `(O * factor^2, C * factor^2, n, n)`.
    """
    outputs, inputs, kernel, _ = weight.shape
    radius = -(-(kernel // 2) // factor)
    blocks, phases = torch.arange(-radius, radius + 1), torch.arange(factor)
    # Which of the kernel's taps leads from an output phase to (block, input phase); beyond it lies a zero.
    taps = blocks * factor + phases[:, None] - phases[:, None, None] + kernel // 2
    taps = torch.where((taps >= 0) & (taps < kernel), taps, kernel).to(weight.device)
    padded = nn.functional.pad(weight, (0, 1, 0, 1))
    wide = padded[:, :, taps][..., taps].permute(0, 2, 5, 1, 3, 6, 4, 7)
    return wide.reshape(outputs * factor**2, inputs * factor**2, len(blocks), len(blocks))


def conv_before_shuffle(x: Tensor, conv: nn.Conv2d, factor: int) -> Tensor:
    """`pixel_shuffle(y, factor)` of the result `y` is `conv(pixel_shuffle(x, factor))`, up to rounding.

    A 9x9 convolution to 3 channels keeps few lanes of a CPU busy; the same sums over `factor**2` times the
    channels at the smaller size take less than half the time, forward and backward. The weight is rearranged
    in every call (`kernel_before_shuffle`) and gets its gradient.

    Args:
        x: `(B, C * factor^2, h, w)`, where `conv` takes C channels.
        conv: Odd square kernel, stride 1, zero padding that keeps the size, no groups.
        factor: The factor of the pixel shuffle.

    Returns:
        `(B, O * factor^2, h, w)` for a `conv` to O channels.
    """
    wide = kernel_before_shuffle(conv.weight, factor).contiguous(memory_format=memory_format_of(x))
    bias = None if conv.bias is None else conv.bias.repeat_interleave(factor**2)
    return nn.functional.conv2d(x, wide, bias, padding=wide.shape[-1] // 2)


def memory_format_of(x: Tensor) -> torch.memory_format:
    """Channels-last where `(B, C, H, W)` is laid out so, else contiguous."""
    return (
        torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    )


def receptive_halo(body_radius: int, steps: Sequence[int], *, step_radius: int, tail_radius: int) -> int:
    """How many LR pixels on each side of its own an output pixel depends on.

    Args:
        body_radius: Sum of the kernel radii of all convolutions at LR resolution before the first step.
        steps: The factors of enlargement in order; each follows a convolution of radius `step_radius`.
        step_radius: Kernel radius of that convolution, at the resolution it runs at.
        tail_radius: Sum of the kernel radii after the last step.
    """
    scale = 1
    for factor in steps:
        scale *= factor
    reach = 0
    for phase in range(scale):  # the output pixels that belong to LR pixel 0
        low, high = phase - tail_radius, phase + tail_radius
        for factor in reversed(steps):
            low, high = low // factor - step_radius, high // factor + step_radius
        reach = max(reach, -low, high)
    return reach + body_radius


def resize_halo(body_radius: int, steps: Sequence[int], *, step_radius: int, tail_radius: int) -> int:
    """`receptive_halo` where each convolution follows its enlargement instead."""
    scale = 1
    for factor in steps:
        scale *= factor
    reach = 0
    for phase in range(scale):
        low, high = phase - tail_radius, phase + tail_radius
        for factor in reversed(steps):
            low, high = (low - step_radius) // factor, (high + step_radius) // factor
        reach = max(reach, -low, high)
    return reach + body_radius


def symmetric_to_unit(images: Tensor) -> Tensor:
    """From [-1, 1] to [0, 1]."""
    return (images + 1) / 2
