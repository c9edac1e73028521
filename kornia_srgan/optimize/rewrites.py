"""Rewrites of the generators of this package that do not change their images."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from kornia_srgan.components.generators import ecbsr, edge_resnet, edsr, msrresnet, span, srresnet
from kornia_srgan.components.generators.layers import kernel_before_shuffle
from kornia_srgan.components.generators.reparam import ReparamConv2d
from kornia_srgan.components.generators.skips import SkipBody, SkipTail
from kornia_srgan.ops.enlarged import BilinearCells, EnlargedSum
from kornia_srgan.ops.fused import GatedResidual, Residual, Slope, Tail


def before_shuffle(conv: nn.Conv2d, factor: int) -> nn.Conv2d:
    """A convolution before a pixel shuffle that equals `conv` after it.

    `conv(shuffle(x)) == shuffle(before_shuffle(conv)(x))`: see `kernel_before_shuffle`.

    Args:
        conv: `C` to `O` channels, odd square kernel, stride 1, zero padding that keeps the size, no groups.
        factor: The factor of the pixel shuffle.

    Returns:
        A convolution of `C * factor**2` to `O * factor**2` channels, of the same dtype and device.
    """
    wide = kernel_before_shuffle(conv.weight.detach(), factor)
    outputs, inputs, side, _ = wide.shape
    has_bias = conv.bias is not None
    made = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=has_bias, device="meta")
    made.weight = nn.Parameter(wide, False)
    if conv.bias is not None:
        made.bias = nn.Parameter(conv.bias.detach().repeat_interleave(factor**2), False)
    return made.train(conv.training)


def _srresnet(net: srresnet.SRResNet) -> None:
    for sequence in [m for m in net.modules() if isinstance(m, nn.Sequential)]:
        _fold_norms(sequence)
        _in_place(sequence)
    for index, block in enumerate(net.body):
        if isinstance(block, srresnet.ResidualBlock):
            layers = [m for m in block.layers if not isinstance(m, nn.Identity)]
            if len(layers) == 3:
                net.body[index] = Residual(layers[0], layers[1], layers[2])
    step = net.upsample[-1] if len(net.upsample) else None
    if isinstance(step, nn.Sequential):
        net.add_module("tail", _take_shuffle(step, net.tail))


def _edsr(net: edsr.EDSR) -> None:
    if type(net.body) is SkipBody:
        *blocks, last = (_fused(block) for block in net.body)
        net.add_module("body", Residual(nn.Sequential(*blocks), nn.Identity(), last))
    step = net.tail[-2] if isinstance(net.tail, SkipTail) and len(net.tail) >= 2 else None
    if isinstance(step, nn.Sequential):  # not `direct`, not scale 1
        net.tail[-1] = _take_shuffle(step, net.tail[-1])
    add_before_shuffle(net)


def _fused(block: nn.Module) -> nn.Module:
    if isinstance(block, edsr.ResidualBlock):
        return Residual(block.conv1, Slope(0.0), block.conv2, block.residual_scale)
    return block


def _edge_resnet(net: edge_resnet.EdgeResNet) -> None:
    for index, block in enumerate(net.body):
        if isinstance(block, edge_resnet.EdgeBlock) and len(block.convs) > 1:
            *inner, last = block.convs
            layers = [layer for conv in inner for layer in (conv, Slope(0.0))]
            net.body[index] = Residual(nn.Sequential(*layers[:-1]), layers[-1], last)
    add_before_shuffle(net)


def add_before_shuffle(net: nn.Module) -> None:
    """Let a generator that adds the bilinearly enlarged image do so before its pixel shuffle; others stay.

    That is one small convolution instead of an interpolation, which is faster in other engines too.
    """
    if type(net) not in REWRITES:
        return
    for name, tail in list(net.named_children()):
        if type(tail) is SkipTail and (made := _added_before_shuffle(tail)):
            net.add_module(name, made)


def _added_before_shuffle(tail: SkipTail) -> EnlargedSum | None:
    """The same for a tail of a convolution and a pixel shuffle that enlarges; None for others."""
    if tail.skip != "bilinear" or tail.scale == 1 or len(tail) != 2:
        return None
    conv, shuffle = tail
    if type(conv) is not nn.Conv2d or type(shuffle) is not nn.PixelShuffle:
        return None
    cells = BilinearCells(tail.scale, conv.out_channels // tail.scale**2)
    return EnlargedSum(conv, shuffle, cells.to(conv.weight.device, conv.weight.dtype))


def _msrresnet(net: msrresnet.MSRResNet) -> None:
    for step in net.upsample:
        if isinstance(step, nn.Sequential):
            _in_place(step)
    for index, block in enumerate(net.body):
        if isinstance(block, msrresnet.ResidualBlock):
            net.body[index] = Residual(block.conv1, Slope(0.0), block.conv2)
    if not (_fits_first(net.conv_hr) and _keeps_size(net.conv_last)):
        return
    tail = Tail(net.conv_hr, Slope(msrresnet.SLOPE), net.conv_last)
    del net.conv_hr, net.conv_last
    net.__class__ = _ShortMSRResNet
    net.tail = tail


class _ShortMSRResNet(msrresnet.MSRResNet):
    """`MSRResNet` with the last two convolutions as one tail."""

    tail: Tail

    def last(self, features: Tensor) -> Tensor:
        return self.tail(features)


def _span(net: span.SPAN) -> None:
    for name, block in list(net.named_children()):
        if isinstance(block, span.SPAB):
            layers = (block.c1_r, block.c2_r, block.c3_r)
            convs = [m.folded() if isinstance(m, ReparamConv2d) else m for m in layers]
            setattr(net, name, GatedResidual(*convs))


def fold_reparametrised(module: nn.Module) -> None:
    """Replace re-parameterised convolutions by equivalent single convolutions."""
    made: dict[nn.Module, nn.Conv2d] = {}
    for parent in list(module.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, ReparamConv2d):
                if child not in made:
                    made[child] = child.folded()
                setattr(parent, name, made[child])


def folded_copy(module: nn.Module) -> nn.Module:
    """A copy whose re-parameterised convolutions are single ones."""
    made = copy.deepcopy(module)
    with torch.no_grad():
        fold_reparametrised(made)
    return made


def count_folded_parameters(module: nn.Module) -> int:
    """The number of parameters once re-parameterised convolutions are single ones, as in inference."""
    parts = [m for m in module.modules() if isinstance(m, ReparamConv2d)]
    inside = {id(p) for part in parts for p in part.parameters()}
    beside = sum(p.numel() for p in module.parameters() if id(p) not in inside)
    return beside + sum(p.numel() for part in parts for p in part.folded().parameters())


REWRITES: dict[type[nn.Module], Callable[[Any], None]] = {
    srresnet.SRResNet: _srresnet,
    edsr.EDSR: _edsr,
    msrresnet.MSRResNet: _msrresnet,
    span.SPAN: _span,
    ecbsr.ECBSR: add_before_shuffle,
    edge_resnet.EdgeResNet: _edge_resnet,
}
"""By exact class: what a subclass does with its modules nobody knows."""


def _fold_norms(sequence: nn.Sequential) -> None:
    for index, (conv, norm) in enumerate(pairwise(list(sequence))):
        if type(conv) is nn.Conv2d and type(norm) is nn.BatchNorm2d and norm.running_mean is not None:
            weight = conv.weight
            folded = fuse_conv_bn_eval(_exact(conv), _exact(norm))
            sequence[index] = folded.to(weight.device, weight.dtype)
            sequence[index + 1] = nn.Identity()


def _exact(module: Any) -> Any:
    return copy.deepcopy(module).to("cpu", torch.float64).eval()


def _in_place(sequence: nn.Sequential) -> None:
    """Let activations overwrite their input."""
    fresh = False
    for index, layer in enumerate(sequence):
        slope = _slope(layer)
        if fresh and slope is not None:
            sequence[index] = Slope(slope)
        fresh = isinstance(layer, nn.Conv2d) or (fresh and isinstance(layer, nn.Identity | nn.PixelShuffle))


def _slope(layer: nn.Module) -> float | None:
    """The slope of a leaky ReLU that is the same for all channels; None for anything else."""
    if type(layer) is nn.PReLU and layer.num_parameters == 1:
        return layer.weight.item()
    if type(layer) is nn.LeakyReLU:
        return layer.negative_slope
    return 0.0 if type(layer) is nn.ReLU else None


def _take_shuffle(step: nn.Sequential, tail: nn.Module) -> nn.Module:
    """Take all layers out of `step`, a convolution and a pixel shuffle, into a tail that is the same.

    In it the pixel shuffle comes last. Where that is not the same, `step` and `tail` stay.
    """
    conv, shuffle, *others = step
    if not (
        isinstance(shuffle, nn.PixelShuffle)
        and all(map(_is_uniform, others))
        and _fits_first(conv)
        and _keeps_size(tail)
    ):
        return tail
    del step[:]
    wide = Tail(conv, nn.Sequential(*others), before_shuffle(tail, shuffle.upscale_factor))
    return nn.Sequential(wide, shuffle)


def _is_uniform(layer: nn.Module) -> bool:
    """Whether a layer treats all channels alike."""
    return isinstance(layer, Slope | nn.Identity)


def _fits_first(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether a `Tail` can begin with a convolution; a user may have given it another padding."""
    return _keeps_size(conv) and conv.kernel_size == (3, 3)


def _keeps_size(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    return (
        type(conv) is nn.Conv2d
        and conv.kernel_size[0] == conv.kernel_size[1]
        and conv.kernel_size[0] % 2 == 1
        and conv.padding == (conv.kernel_size[0] // 2,) * 2
        and conv.padding_mode == "zeros"
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
    )
