"""Reads a generator's geometry: scale, receptive field and alignment."""

from __future__ import annotations

import copy
from numbers import Integral

import torch
from torch import Tensor, nn

from kornia_srgan.contracts import Geometry, LimitedPrecision, StatesBands
from kornia_srgan.errors import ArgumentError
from kornia_srgan.explain import one_line

_LONGEST = 1024  # a receptive field wider than half of this counts as the whole image
# Height of the images to measure on: one pixel is cheap, networks that reflect their border need more.
_HEIGHTS = (1, 16, 64)


def geometry_of(generator: nn.Module, *, measure: bool = True) -> Geometry:
    """The geometry from a generator's attributes `scale`, `halo`, `align` and `blend`.

    Args:
        generator: A `contracts.Generator`. Only `scale` is required.
        measure: Measure a missing halo with `measure_halo`; otherwise it is taken to be the whole image, at
            no cost.

    Raises:
        ArgumentError: If there is no `scale`, a value is invalid, or the halo cannot be measured.
    """
    name = type(generator).__name__
    scale = scale_of(generator)
    align = _whole(generator.align, 1, f"{name}.align") if hasattr(generator, "align") else 1
    if not hasattr(generator, "halo"):
        return Geometry(scale, measure_halo(generator) if measure else None, align)
    halo = _whole(generator.halo, 0, f"{name}.halo") if generator.halo is not None else None
    blend = _whole(generator.blend, 0, f"{name}.blend") if hasattr(generator, "blend") else 0
    return Geometry(scale, halo, align, blend)


def scale_of(generator: nn.Module) -> int:
    """A generator's scale. Nothing else is read, because reading a halo may measure it.

    Raises:
        ArgumentError: If it is missing or invalid.
    """
    name = type(generator).__name__
    if not hasattr(generator, "scale"):
        raise ArgumentError(
            f"{name} has no 'scale'; a generator keeps its factor of enlargement: self.scale = 4",
            where=f"{name}.scale",
        )
    return _whole(generator.scale, 1, f"{name}.scale")


def bands_of(generator: nn.Module) -> int:
    """How many channels a generator's images have; 3 unless it says otherwise."""
    return _whole(generator.bands, 1, "bands") if isinstance(generator, StatesBands) else 3


def supported_dtypes(generator: nn.Module) -> tuple[str, ...]:
    """The names of the dtypes that a generator can compute in; all of them unless it states a limit."""
    if isinstance(generator, LimitedPrecision):
        return tuple(generator.supported_dtypes)
    return ("float32", "float16", "bfloat16", "float64")


def _whole(value: object, least: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise ArgumentError(f"{what} is {value!r}; it must be a whole number, {least} or more", where=what)
    return int(value)


def measure_halo(generator: nn.Module, *, longest: int = _LONGEST) -> int | None:
    """Measure the exact radius of the generator's receptive field in LR pixels, by propagating a NaN.

    A NaN passes through every weight, even zero, and through every activation. What it reaches in the output
    therefore depends only on the structure of the network, not on its weights or on an image. Images one
    pixel high and one pixel wide make this cheap; a network that refuses them gets larger ones.

    Args:
        generator: Maps `(1, 3, h, w)` to `(1, 3, scale*h, scale*w)`; in evaluation mode. Copied only where it
            computes in 16 bits on a CPU.
        longest: Length of the longest image to try.

    Returns:
        The radius, or None when an output pixel depends on pixels more than half of `longest` away (global
        pooling, global attention): such a generator cannot be tiled exactly.

    Raises:
        ArgumentError: If the generator fails on such images.
    """
    was_training = generator.training
    generator.eval()
    exact = _in_float32(generator)
    failure: Exception = RuntimeError()
    try:
        for height in _HEIGHTS:
            try:
                radii = [_radius(exact, height, longest, vertical) for vertical in (False, True)]
            except (RuntimeError, ValueError, IndexError, AssertionError) as error:
                failure = error
            else:
                return None if None in radii else max(r for r in radii if r is not None)
    finally:
        generator.train(was_training)
    reason = one_line(failure)
    raise ArgumentError(
        f"the halo of {type(generator).__name__} cannot be measured, it fails on small images ({reason}); "
        "state it: self.halo = LR pixels on each side that an output pixel depends on, None for all",
        where=type(generator).__name__,
    ) from failure


def _in_float32(generator: nn.Module) -> nn.Module:
    """The generator; a copy in float32 if it computes in 16 bits on a CPU.

    There oneDNN may read channels in pairs. The last of three comes with the first one of the next pixel,
    times zero, and a NaN gets through.
    """
    reference = next(generator.parameters(), None)
    if reference is None or reference.device.type != "cpu":
        return generator
    if reference.dtype not in (torch.bfloat16, torch.float16):
        return generator
    return copy.deepcopy(generator).float()


def _radius(generator: nn.Module, height: int, longest: int, vertical: bool) -> int | None:
    length = 64
    while length <= longest:
        first, last = _reached(generator, height, length, vertical)
        centre = length // 2
        if first > 0 and last < length - 1:
            return max(centre - first, last - centre)
        length *= 2
    return None


@torch.inference_mode()
def _reached(generator: nn.Module, height: int, length: int, vertical: bool) -> tuple[int, int]:
    """The first and the last LR pixel along a line whose output a NaN in its middle reaches."""
    reference = next(generator.parameters(), torch.zeros(()))
    line = torch.zeros(1, bands_of(generator), height, length, dtype=reference.dtype, device=reference.device)
    line[..., length // 2] = torch.nan
    output: Tensor = generator(line.mT if vertical else line)
    hit = output.isnan().any(dim=1)[0].any(dim=1 if vertical else 0).nonzero().flatten()
    if hit.numel() == 0:
        return length // 2, length // 2
    scale = output.shape[-2 if vertical else -1] // length
    return int(hit[0]) // scale, int(hit[-1]) // scale
