"""Keeps more bits of the channels whose rounding to bfloat16 would be visible."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kornia_srgan.geometry import bands_of
from kornia_srgan.ops.fused import Tail
from kornia_srgan.ops.packed import PackedConv2d
from kornia_srgan.ops.precise import PreciseConv2d, with_rests
from kornia_srgan.optimize.faithful import made_photograph
from kornia_srgan.optimize.packing import Slot, find_chains

_ENOUGH = 0.97
"""Part of the rounding noise that the chosen channels must carry."""
_AT_MOST = 0.25
"""Part of all channels that may be chosen."""


def keep_strong_channels(low: nn.Module, exact: nn.Module) -> bool:
    """Keep 16 bits for the strongest channels before and inside each tail.

    Rounding noise grows with the values of a channel and with the weights of the next layer. In SRResNet, a
    few channels carry the image itself, far from zero, and cause most of the noise.

    Args:
        low: A generator with packed layers in bfloat16; changed in place.
        exact: The same with packed layers in float32.

    Returns:
        Whether anything was changed.
    """
    inputs: dict[Tail, Tensor] = {}
    tails = [m for m in exact.modules() if isinstance(m, Tail)]
    hooks = [t.register_forward_pre_hook(lambda part, args: inputs.update({part: args[0]})) for t in tails]
    try:
        with torch.inference_mode():
            exact(made_photograph(bands=bands_of(exact)))
    finally:
        for hook in hooks:
            hook.remove()
    low_tails = [m for m in low.modules() if isinstance(m, Tail)]
    changed = False
    for before, tail in _tails_of(low):
        features = inputs.get(tails[low_tails.index(tail)])
        if features is not None:
            changed |= _keep(before, tail, features)
    return changed


def _tails_of(module: nn.Module) -> list[tuple[list[Slot], Tail]]:
    """Each tail and the two layers before it in its chain."""
    found = []
    for net in module.modules():
        for chain in find_chains(net):
            layers = [slot for slot in chain if not isinstance(slot.layer, nn.Identity)]
            for index, slot in enumerate(layers):
                if isinstance(slot.layer, Tail):
                    found.append((layers[max(0, index - 2) : index], slot.layer))
    return found


def _keep(before: list[Slot], tail: Tail, features: Tensor) -> bool:
    first, rows = tail.first, tail.packed_rows
    if not isinstance(first, PackedConv2d) or rows is None or first.compute is None:
        return False
    with torch.inference_mode():
        inner = first.exact(features)
    entering, inside = _strongest(features, first.weight), _strongest(inner, tail.second.weight)
    if len(before) == 2 and len(entering):
        conv, shuffle = (slot.layer for slot in before)
        if isinstance(conv, PackedConv2d) and conv.inner and isinstance(shuffle, nn.PixelShuffle):
            square = shuffle.upscale_factor**2
            before[0].put(PreciseConv2d(conv, (entering[:, None] * square + torch.arange(square)).flatten()))
            first = with_rests(first, entering)
    if len(inside):
        first = PreciseConv2d(first, inside)
        tail.take(first, with_rests(rows, inside))
    else:
        tail.take(first, rows)
    return bool(len(entering) or len(inside))


def _strongest(features: Tensor, weight: Tensor) -> Tensor:
    """Numbers of the channels that carry most of the noise, in order; none if too many were needed."""
    noise = features.square().mean((0, 2, 3)) * weight.square().sum((0, 2, 3))
    values, order = noise.sort(descending=True)
    needed = int((values.cumsum(0) < _ENOUGH * values.sum()).sum()) + 1
    most = int(_AT_MOST * len(noise))
    return order[:needed].sort().values if needed <= most else order[:0]
