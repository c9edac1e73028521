"""A practical halo for deep generators, from how far their weights really reach."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kornia_srgan.geometry import bands_of
from kornia_srgan.inference.tiling import is_out_of_memory

_DEEP = 64  # halos up to this are taken as they are
_STRIP = 25  # height of the images on which a deep generator's reach is measured
_UNSEEN = 0.5 / 255  # what all pixels outside the halo may change together


def practical_halo(generator: nn.Module, halo: int | None) -> int | None:
    """A smaller halo for generators whose receptive field spans hundreds of pixels.

    The gradient of an output pixel tells how much each input pixel can change it. The reach is the distance
    beyond which all input pixels together, each changed from black to white, change it by less than half a
    grey level (to first order, on noise), plus a quarter.

    Args:
        generator: In evaluation mode.
        halo: Its receptive field.

    Returns:
        `halo` if it is None, at most 64, not larger than the reach, or if the generator gives no gradient
        (another engine computes it, or a layer changes its input in place); otherwise the reach.
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
    noise = torch.rand(1, bands_of(generator), _STRIP, length, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(False), torch.enable_grad():
        image = noise.to(reference.device, reference.dtype).requires_grad_()
        output: Tensor = generator(image)
        if not output.requires_grad:  # another engine computes it
            return None
        centre = output[0, :, output.shape[-2] // 2, output.shape[-1] // 2].abs().sum()
        try:
            (gradient,) = torch.autograd.grad(centre, image)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            return None  # a layer changes in place what the gradient needs
    weight = gradient[0].float().abs().sum(dim=(0, 1)).cpu()
    middle = length // 2
    both = weight[middle:].clone()
    both[1:] += weight[:middle].flip(0)
    beyond = 2 * both.flip(0).cumsum(0).flip(0)  # from this distance on; twice, for up and down
    inside = (beyond < _UNSEEN).nonzero()
    return int(inside[0]) if inside.numel() else None
