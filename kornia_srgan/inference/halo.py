"""How far around a pixel a generator looks, in LR pixels: the overlap that tiles need."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LONGEST = 1025  # a receptive field wider than half of this counts as the whole image


def halo_of(generator: nn.Module) -> int | None:
    """The generator's own `halo` where it states one, else the measured one; None for the whole image.

    A generator that states None sees the whole image.
    """
    if hasattr(generator, "halo"):
        stated = generator.halo
        return None if stated is None else int(stated)  # type: ignore[arg-type]
    return measure_halo(generator)


def measure_halo(generator: nn.Module) -> int | None:
    """The radius of the generator's receptive field in LR pixels, exactly, by letting a NaN spread.

    A NaN passes through every weight, also one that is zero, and through every activation, so what it
    reaches in the output is the structure of the network and no accident of its weights or of one image.
    Images one pixel high and one pixel wide make this cheap.

    Args:
        generator: Maps `(1, 3, h, w)` to `(1, 3, scale*h, scale*w)`; used as it is, in evaluation mode.

    Returns:
        The radius, or None when an output pixel depends on pixels more than 512 away (global pooling,
        global attention): such a generator cannot be tiled exactly.
    """
    was_training = generator.training
    generator.eval()
    try:
        radii = [_radius(generator, vertical=vertical) for vertical in (False, True)]
    finally:
        generator.train(was_training)
    return None if None in radii else max(r for r in radii if r is not None)


def _radius(generator: nn.Module, *, vertical: bool) -> int | None:
    length = 65
    while length <= _LONGEST:
        reached = _reached(generator, length, vertical)
        centre = length // 2
        if reached[0] > 0 and reached[1] < length - 1:
            return max(centre - reached[0], reached[1] - centre)
        length = 2 * length - 1
    return None


@torch.inference_mode()
def _reached(generator: nn.Module, length: int, vertical: bool) -> tuple[int, int]:
    """The first and the last LR pixel whose output a NaN in the middle pixel of a line reaches."""
    reference = next(generator.parameters(), torch.zeros(()))
    line = torch.zeros(1, 3, length, dtype=reference.dtype, device=reference.device)
    line[..., length // 2] = torch.nan
    output: Tensor = generator(line.unsqueeze(-1 if vertical else -2))
    hit = output.isnan().any(dim=1)[0].any(dim=1 if vertical else 0).nonzero().flatten()
    if hit.numel() == 0:
        return length // 2, length // 2
    scale = max(output.shape[-2:]) // length
    return int(hit[0]) // scale, int(hit[-1]) // scale
