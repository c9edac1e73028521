"""Chooses how pictures are cut into tiles, from the free memory and the generator's memory per pixel."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from kornia_srgan.contracts import Geometry
from kornia_srgan.errors import ArgumentError
from kornia_srgan.geometry import bands_of
from kornia_srgan.inference.halo import practical_halo
from kornia_srgan.inference.tiling import Tiling
from kornia_srgan.memory import free_memory

_CPU_BUDGET = 64 * 2**20  # larger tiles are slower on a CPU: its caches are smaller than this
# What a tile may take on a CPU so that it is eight halos wide: at three, two thirds of the work are halos.
_CPU_HALO_BUDGET = 2 * 2**30
_STREAM_BUDGET = 768 * 2**20  # for very wide pictures tiles take less
_SMALLEST, _LARGEST = 32, 1024
_PROBE = 16


def parse_tile(text: str) -> int | Literal["auto"]:
    """Parse the side of a tile as typed by a user.

    Raises:
        ArgumentError: If it is neither `auto` nor a number.
    """
    text = text.strip().lower()
    if text in ("", "auto"):
        return "auto"
    if not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise ArgumentError(
            f"tile is '{text}'; it must be auto, a number of pixels, or 0 for all at once", where="tile"
        )
    return int(text)


def check_tile(tile: object) -> None:
    """Check the side of a tile.

    Raises:
        ArgumentError: If it is neither `auto` nor a number of pixels, or 0 for the whole image.
    """
    if tile != "auto" and (not isinstance(tile, int) or tile < 0):
        raise ArgumentError(
            f"tile is {tile!r}; it must be 'auto', 0 (the whole image) or a number of pixels", where="tile"
        )


def auto_tile(generator: nn.Module, device: torch.device, dtype: torch.dtype, halo: int | None) -> int:
    """The side of the largest tile, in LR pixels, that fits into a safe part of the free memory.

    Args:
        generator: The generator on its device.
        device: Its device.
        dtype: Its dtype.
        halo: Overlap of tiles; None, for a generator that needs the whole image, returns 0.

    Returns:
        A multiple of 16 from 32 to 1024; 0 for a generator that cannot be tiled.
    """
    if halo is None:
        return 0
    pixel = bytes_per_pixel(generator, device, dtype)
    largest = math.isqrt(free_memory(device) // 2 // pixel) - 2 * halo
    if device.type == "cpu":
        fitting = math.isqrt(_CPU_BUDGET // pixel) - 2 * halo
        wide = min(math.isqrt(_CPU_HALO_BUDGET // pixel) - 2 * halo, 8 * halo)
        largest = min(largest, max(fitting, wide, 3 * halo))
    return max(_SMALLEST, min(_LARGEST, largest // 16 * 16))


def tiling_for(
    generator: nn.Module,
    geometry: Geometry,
    tile: int | Literal["auto"],
    device: torch.device,
    dtype: torch.dtype,
) -> Tiling:
    """How pictures are cut for a generator on its device; `tile` is what the user requested."""
    whole = tile != 0 and geometry.halo is None
    halo = practical_halo(generator, geometry.halo) if tile != 0 else None
    side = auto_tile(generator, device, dtype, halo) if tile == "auto" else tile
    return Tiling(side, halo, geometry.scale, geometry.align, geometry.blend, whole)


def stream_budget() -> int:
    """Bytes that the layers may use for a picture that is processed in strips on the CPU."""
    return min(_STREAM_BUDGET, free_memory(torch.device("cpu")) // 3)


@torch.inference_mode()
def bytes_per_pixel(generator: nn.Module, device: torch.device, dtype: torch.dtype) -> int:
    """Peak bytes of activations per LR pixel of a tile, from a small forward pass.

    This is twice the largest module's input and output; the second half is for other tensors (skip
    connections, workspace of libraries, the float32 result).
    """
    peak = 0

    def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal peak
        tensors = [t for t in (*inputs, output) if isinstance(t, Tensor)]
        peak = max(peak, sum(t.numel() * t.element_size() for t in tensors))

    leaves = [module for module in generator.modules() if not any(module.children())]
    handles = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        probe = torch.zeros(1, bands_of(generator), _PROBE, _PROBE, device=device, dtype=dtype)
        output = generator(probe.contiguous(memory_format=torch.channels_last))
    finally:
        for handle in handles:
            handle.remove()
    peak = max(peak, 2 * output.numel() * output.element_size())
    return math.ceil(2 * peak / _PROBE**2)
