"""Fuses convolutions with their activations, for oneDNN on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kornia_srgan.components.generators import compact, ecbsr, srresnet
from kornia_srgan.ops.enlarged import EnlargedSum
from kornia_srgan.ops.fused import ChannelSlope, FreshSiLU, GatedResidual, Residual, Slope, Tail
from kornia_srgan.ops.packed import IDENTITY, Activation, PackedConv2d, can_become_packed
from kornia_srgan.optimize.rewrites import REWRITES

OWN = frozenset({*REWRITES, compact.Compact})
"""Whose sequences run as they stand; by exact class: what others do with theirs nobody knows."""

_LEAST_CHANNELS = 16
"""Of the input, below which bfloat16 is not worth it: the first layer, which sees the image itself."""


def use_packed(module: nn.Module, compute: torch.dtype | None = None) -> None:
    """Replace each suitable convolution and its activation by a `PackedConv2d`.

    Args:
        module: An optimized generator on the CPU, laid out channels-last; changed in place.
        compute: The dtype of multiplications in a float32 module; None for the dtype of the weights.
            The first layer, sums and results stay in float32.
    """
    for part in list(module.modules()):
        if isinstance(part, Residual):
            _pack_residual(part, compute)
        elif isinstance(part, GatedResidual):
            _pack_gated(part, compute)
        elif isinstance(part, Tail):
            _pack_tail(part, compute)
    for net in list(module.modules()):
        for chain in find_chains(net):
            _pack_chain(chain, compute)
    made: dict[nn.Module, PackedConv2d] = {}
    for parent in list(module.modules()):
        if isinstance(parent, Tail):
            continue  # its second convolution is the plain one, for what cannot be packed
        for name, child in list(parent._modules.items()):
            if child is not None and can_become_packed(child):
                if child not in made:
                    made[child] = _packed(child, IDENTITY, compute, inner=False)
                setattr(parent, name, made[child])


def _packed(
    conv: nn.Module, activation: Activation, compute: torch.dtype | None, *, inner: bool
) -> PackedConv2d:
    assert isinstance(conv, nn.Conv2d)
    low = compute if conv.in_channels >= _LEAST_CHANNELS else None
    return PackedConv2d(conv, activation, compute=low, inner=inner and low is not None)


def _pack_residual(part: Residual, compute: torch.dtype | None) -> None:
    before = _slots(part.first) if isinstance(part.first, nn.Sequential) else [Slot(part, "first")]
    _pack_chain([*before, Slot(part, "activation"), Slot(part, "second")], compute)


def _pack_gated(part: GatedResidual, compute: torch.dtype | None) -> None:
    convs = (part.first, part.second, part.third)
    if not all(map(can_become_packed, convs)):
        return
    swish = Activation("swish")
    part.first, part.second = (_packed(conv, swish, compute, inner=True) for conv in convs[:2])
    part.third = _packed(part.third, IDENTITY, compute, inner=True)
    part.activation = nn.Identity()


def _pack_tail(part: Tail, compute: torch.dtype | None) -> None:
    activation = _activation(part.activation)
    if activation is None or not can_become_packed(part.first):
        return
    part.first = _packed(part.first, activation, compute, inner=True)
    part.activation = nn.Identity()
    part.pack(part.first.compute)


@dataclass(frozen=True)
class Slot:
    """The place of a layer in its parent module."""

    parent: nn.Module
    name: str

    @property
    def layer(self) -> nn.Module:
        """The current layer."""
        return self.parent.get_submodule(self.name)

    def put(self, layer: nn.Module) -> None:
        """Replace the layer."""
        setattr(self.parent, self.name, layer)


def _slots(sequence: nn.Sequential) -> Iterator[Slot]:
    """The layers in the order of execution, with nested sequences expanded."""
    for name, layer in list(sequence.named_children()):
        if isinstance(layer, nn.Sequential):
            yield from _slots(layer)
        elif not isinstance(layer, nn.Identity):
            yield Slot(sequence, name)


def find_chains(net: nn.Module) -> Iterator[list[Slot]]:
    """The sequential layers of a generator of this package; empty for other modules."""
    if type(net) not in OWN:
        return
    if isinstance(net, srresnet.SRResNet):
        tail = _slots(net.tail) if isinstance(net.tail, nn.Sequential) else iter([Slot(net, "tail")])
        yield from (list(_slots(net.head)), list(_slots(net.body)), [*_slots(net.upsample), *tail])
        return
    if isinstance(net, ecbsr.ECBSR):
        tail = iter([Slot(net.tail, "conv")]) if isinstance(net.tail, EnlargedSum) else _slots(net.tail)
        yield [*_slots(net.body), *tail]
        return
    for child in net.children():
        if isinstance(child, nn.Sequential):
            yield list(_slots(child))


def _pack_chain(chain: list[Slot], compute: torch.dtype | None) -> None:
    """Fuse convolutions with the following activation, also one after a pixel shuffle."""
    for index, slot in enumerate(chain):
        conv = slot.layer
        if not can_become_packed(conv):
            continue
        follow = [s for s in chain[index + 1 :] if not isinstance(s.layer, nn.Identity)]
        after = follow[1:] if follow and isinstance(follow[0].layer, nn.PixelShuffle) else follow
        activation = _activation(after[0].layer) if after else None
        if activation is not None:
            after[0].put(nn.Identity())
        inner = compute is not None and _leads_to_packed(follow)
        slot.put(_packed(conv, activation or IDENTITY, compute, inner=inner))


def _leads_to_packed(follow: list[Slot]) -> bool:
    """Whether the result goes to another convolution in low precision, through layers of any dtype."""
    for slot in follow:
        layer = slot.layer
        if type(layer) is nn.PReLU:
            slot.put(_any_dtype(layer))
        elif isinstance(layer, Tail):
            return isinstance(layer.first, PackedConv2d) and layer.first.compute is not None
        elif can_become_packed(layer):
            return layer.in_channels >= _LEAST_CHANNELS
        elif not isinstance(layer, ChannelSlope | Slope | nn.PixelShuffle | nn.Upsample | nn.Identity):
            return False
    return False


def _any_dtype(layer: nn.PReLU) -> ChannelSlope:
    made = ChannelSlope(layer.num_parameters, device="meta")
    made.weight = layer.weight
    return made.train(layer.training)


def _activation(layer: nn.Module) -> Activation | None:
    """A layer, or a sequence of one, as what oneDNN computes; None where it is something else."""
    if isinstance(layer, nn.Sequential):
        layers: list[Any] = [m for m in layer if not isinstance(m, nn.Identity)]
        if len(layers) > 1:
            return None
        layer = layers[0] if layers else nn.Identity()
    if isinstance(layer, nn.Identity):
        return IDENTITY
    if isinstance(layer, Slope):
        return Activation("relu") if layer.slope == 0 else Activation("leaky_relu", layer.slope)
    if type(layer) is nn.ReLU:
        return Activation("relu")
    return Activation("swish") if isinstance(layer, FreshSiLU | nn.SiLU) else None
