"""The overlap that tiles can afford, for generators that see further than they need to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
        if not output.requires_grad:  # another engine computes it
            return None
        centre = output[0, :, output.shape[-2] // 2, output.shape[-1] // 2].abs().sum()
        (gradient,) = torch.autograd.grad(centre, image)
    weight = gradient[0].float().abs().sum(dim=(0, 1)).cpu()
    middle = length // 2
    both = weight[middle:].clone()
    both[1:] += weight[:middle].flip(0)
    beyond = 2 * both.flip(0).cumsum(0).flip(0)  # from this distance on; twice, for up and down
    inside = (beyond < _UNSEEN).nonzero()
    return int(inside[0]) if inside.numel() else None
