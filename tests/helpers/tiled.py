"""A whole image by tiles, as a generator gives it: float32 and not clamped."""

import torch

from kornia_srgan.geometry import geometry_of
from kornia_srgan.inference.tiling import Tiling, upscale_bands
from kornia_srgan.inference.work import OneByOne


@torch.inference_mode()
def upscale_tiled(generator, image, *, tile=0, halo=None):
    """`(1, 3, h, w)` in [0, 1] to `(1, 3, scale*h, scale*w)`; by default with the generator's own halo."""
    geometry = geometry_of(generator)
    tiling = Tiling(tile, geometry.halo if halo is None else halo, geometry.scale, geometry.align)
    return torch.cat(list(upscale_bands(OneByOne(generator), image, tiling)), dim=-2)
