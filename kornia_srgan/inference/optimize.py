"""The same generator with less work: BatchNorm folded away, the tail run before the last pixel shuffle.

Only the generators of this package are rewritten, because a module's structure alone does not say what its
`forward` does with it. Any other is frozen, cast and laid out, no more.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrize import is_parametrized

from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.components.generators.srresnet import SRResNet


def optimize_for_inference(
    generator: nn.Module, *, dtype: torch.dtype | None = None, channels_last: bool = True
) -> nn.Module:
    """A frozen copy that gives the same image with less work; the original stays as it is.

    - BatchNorm is folded into the convolution before it.
    - Where a generator ends in pixel shuffle, activation, convolution, the convolution runs before the
      shuffle, on fewer and wider pixels: see `before_shuffle`.
    - Channels-last makes convolutions on a CPU up to twice as fast.

    `scale`, `halo` and `align` stay; the keys of the state dict change, so save the original. Weights are
    computed in float64 before they are rounded to `dtype`. In float32 the image differs by less than 1e-4.

    Args:
        generator: Any module; only `SRResNet` and `EDSR` themselves (no subclasses, no hooks or
            parametrizations) have something to rewrite.
        dtype: What the copy computes in; None for the dtype it has.
        channels_last: Lay out the weights, and so all that follows from them, channels-last.

    Returns:
        The copy, in eval mode, on the same device, without gradients of its parameters.

    Example:
        >>> from kornia_srgan.components.generators.srresnet import SRResNet
        >>> ready = optimize_for_inference(SRResNet(scale=4, channels=8, num_blocks=1))
        >>> ready(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 20, 28])
        >>> any(isinstance(m, torch.nn.BatchNorm2d) for m in ready.modules())
        False
    """
    ready = copy.deepcopy(generator).eval().requires_grad_(False)
    rewrite = _REWRITES.get(type(generator))
    if rewrite is not None and _is_plain(generator):
        with torch.no_grad():
            rewrite(ready)
    if dtype is not None:
        ready = ready.to(dtype=dtype)
    if channels_last:
        ready = cast(Any, ready).to(memory_format=torch.channels_last)
    return ready.eval().requires_grad_(False)


def before_shuffle(conv: nn.Conv2d, factor: int) -> nn.Conv2d:
    """The convolution that gives, before a pixel shuffle, what `conv` gives after it.

    `conv(shuffle(x)) == shuffle(before_shuffle(conv)(x))`. An output pixel at phase p of its block reads, at
    kernel position i, the pixel at `p + i - k // 2`, which is phase `(p + i - k // 2) % factor` of the block
    `(p + i - k // 2) // factor` away. So each of the `factor**2` phases becomes an output channel of a kernel
    that reaches `ceil((k // 2) / factor)` blocks: 9x9 on 64 channels becomes 5x5 on 256. The zeros around the
    image are whole blocks there as well, hence the border is the same.

    Args:
        conv: `C` to `O` channels, odd square kernel, stride 1, zero padding that keeps the size, no groups.
        factor: The factor of the pixel shuffle.

    Returns:
        A convolution of `C * factor**2` to `O * factor**2` channels, of the same dtype and device.
    """
    kernel, phases = conv.kernel_size[0], factor**2
    radius = -(-(kernel // 2) // factor)
    weight = conv.weight.detach()
    outputs, inputs = weight.shape[:2]
    side = 2 * radius + 1
    wide = weight.new_zeros(outputs, factor, factor, inputs, factor, factor, side, side)
    # (position in the kernel, phase of the output) to (block, phase of the input), the same on both axes
    reads = [(i, p, *divmod(p + i - kernel // 2, factor)) for i in range(kernel) for p in range(factor)]
    for i, p, row, s in reads:
        for j, q, column, t in reads:
            wide[:, p, q, :, s, t, row + radius, column + radius] = weight[:, :, i, j]
    has_bias = conv.bias is not None
    made = nn.Conv2d(inputs * phases, outputs * phases, side, padding=radius, bias=has_bias, device="meta")
    made.weight = nn.Parameter(wide.reshape(outputs * phases, inputs * phases, side, side), False)
    if conv.bias is not None:
        made.bias = nn.Parameter(conv.bias.detach().repeat_interleave(phases), False)
    return made.train(conv.training)


def _srresnet(net: SRResNet) -> None:
    for sequence in [m for m in net.modules() if isinstance(m, nn.Sequential)]:
        _fold_norms(sequence)
    if len(net.upsample):
        net.tail = cast(Any, _take_shuffle(cast(nn.Sequential, net.upsample[-1]), net.tail))


def _edsr(net: EDSR) -> None:
    step = net.tail[-2] if len(net.tail) >= 2 else None
    if isinstance(step, nn.Sequential):  # not `direct`, not scale 1
        net.tail[-1] = _take_shuffle(step, cast(nn.Conv2d, net.tail[-1]))


_REWRITES: dict[type[nn.Module], Callable[[Any], None]] = {SRResNet: _srresnet, EDSR: _edsr}


def _is_plain(generator: nn.Module) -> bool:
    """Whether nothing was attached to the modules that a rewrite would lose."""
    return not any(
        m._forward_hooks or m._forward_pre_hooks or is_parametrized(m) for m in generator.modules()
    )


def _fold_norms(sequence: nn.Sequential) -> None:
    for index, (conv, norm) in enumerate(pairwise(list(sequence))):
        if type(conv) is nn.Conv2d and type(norm) is nn.BatchNorm2d and norm.running_mean is not None:
            weight = conv.weight
            folded = fuse_conv_bn_eval(_exact(conv), _exact(norm))
            sequence[index] = folded.to(weight.device, weight.dtype)
            sequence[index + 1] = nn.Identity()


def _exact(module: Any) -> Any:
    return copy.deepcopy(module).to("cpu", torch.float64).eval()


def _take_shuffle(step: nn.Sequential, tail: nn.Conv2d) -> nn.Module:
    """Move the pixel shuffle at the end of `step` behind `tail`, where that is the same; the new tail."""
    for index, layer in enumerate(step):
        if isinstance(layer, nn.PixelShuffle):
            if not (all(map(_is_uniform, list(step)[index + 1 :])) and _is_tail(tail)):
                break
            step[index] = nn.Identity()
            return nn.Sequential(before_shuffle(tail, layer.upscale_factor), layer)
    return tail


def _is_uniform(layer: nn.Module) -> bool:
    """Whether a layer does the same to each value, whatever its channel."""
    if isinstance(layer, nn.PReLU):
        return layer.num_parameters == 1
    return isinstance(layer, nn.ReLU | nn.LeakyReLU | nn.Identity)


def _is_tail(conv: nn.Module) -> bool:
    return (
        type(conv) is nn.Conv2d
        and conv.kernel_size[0] == conv.kernel_size[1]
        and conv.kernel_size[0] % 2 == 1
        and conv.padding == (conv.kernel_size[0] // 2,) * 2
        and conv.padding_mode == "zeros"
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
    )
