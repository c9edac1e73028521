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


_DEEP = 64  # halos up to this are taken as they are
_STRIP = 25  # height of the images on which a deep generator's reach is measured
_UNSEEN = 0.5 / 255  # what all pixels outside the halo may change together


def practical_halo(generator: nn.Module, halo: int | None) -> int | None:
    """A halo that tiles can afford: a deep generator sees hundreds of pixels far and its reach is less.

    The gradient of a pixel says how much each input pixel can move it. The reach is the distance beyond which
    all these together, each changed from black to white, move it by less than half a grey level (to first
    order, on noise), with a quarter added.

    Args:
        generator: In evaluation mode.
        halo: Its receptive field.

    Returns:
        `halo` where that is at most 64, None or the reach is no smaller; else the reach.
    """
    if halo is None or halo <= _DEEP:
        return halo
    for length in (129, 257, 513):
        reach = _reach(generator, length)
        if reach is not None:
            return min(halo, max(_DEEP // 2, reach + reach // 4))
    return halo


def _reach(generator: nn.Module, length: int) -> int | None:
    """The reach to the left and right, measured on a low and long image; None if that is too short."""
    reference = next(generator.parameters(), torch.zeros(()))
    noise = torch.rand(1, 3, _STRIP, length, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(False), torch.enable_grad():
        image = noise.to(reference.device, reference.dtype).requires_grad_()
        output: Tensor = generator(image)
        centre = output[0, :, output.shape[-2] // 2, output.shape[-1] // 2].abs().sum()
        (gradient,) = torch.autograd.grad(centre, image)
    weight = gradient[0].float().abs().sum(dim=(0, 1)).cpu()
    middle = length // 2
    both = weight[middle:].clone()
    both[1:] += weight[:middle].flip(0)
    beyond = 2 * both.flip(0).cumsum(0).flip(0)  # from this distance on; twice, for up and down
    inside = (beyond < _UNSEEN).nonzero()
    return int(inside[0]) if inside.numel() else None
