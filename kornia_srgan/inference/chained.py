"""Runs several generators in sequence, such as one that restores and one that enlarges."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from kornia_srgan.contracts import Geometry
from kornia_srgan.errors import ArgumentError
from kornia_srgan.geometry import bands_of, geometry_of, supported_dtypes


class Chained(nn.Module):
    """Several generators in sequence; intermediate images are clamped to [0, 1].

    Maps `(B, C, h, w)` in [0, 1] to `(B, C, scale*h, scale*w)`, where `scale` is the product of their scales.
    Tiles pass through all generators with one halo for the combined receptive field.

    Args:
        generators: At least two, in order.

    Raises:
        ArgumentError: If there are fewer, or one does not state its scale, or they take different
            numbers of channels.
    """

    def __init__(self, generators: Sequence[nn.Module]) -> None:
        super().__init__()
        if len(generators) < 2:
            raise ArgumentError("a chain needs two generators or more", where="generators")
        self.generators = nn.ModuleList(generators)
        whole = geometry_of(generators[0])
        for generator in generators[1:]:
            whole = _joined(whole, geometry_of(generator))
        self.scale, self.halo, self.align, self.blend = whole.scale, whole.halo, whole.align, whole.blend
        self.bands = _common_bands(generators)
        common = set.intersection(*(set(supported_dtypes(g)) for g in generators))
        self.supported_dtypes = tuple(d for d in supported_dtypes(generators[0]) if d in common)

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `(B, C, h, w)` in [0, 1]."""
        image = lr
        for index, generator in enumerate(self.generators):
            image = generator(image.clamp(0, 1) if index else image)
        return image


def _common_bands(generators: Sequence[nn.Module]) -> int:
    counts = [bands_of(generator) for generator in generators]
    if len(set(counts)) > 1:
        raise ArgumentError(
            f"a chain needs generators of one number of channels, got {counts}", where="generators"
        )
    return counts[0]


def _joined(first: Geometry, second: Geometry) -> Geometry:
    """The geometry of two generators in a row, in pixels of the first one's input."""
    halo = None
    if first.halo is not None and second.halo is not None:
        halo = first.halo + -(-second.halo // first.scale)
    align = math.lcm(first.align, second.align // math.gcd(second.align, first.scale))
    blend = max(first.blend, -(-second.blend // first.scale))
    return Geometry(first.scale * second.scale, halo, align, blend)
