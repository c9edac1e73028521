"""Super-resolution as a Kornia module."""

from __future__ import annotations

from pathlib import Path

import torch
from kornia.contrib.super_resolution import SuperResolution
from kornia.core import ImageModule
from kornia.models.processors import OutputRangePostProcessor
from torch import Tensor, nn

from kornia_srgan.errors import ImageError
from kornia_srgan.geometry import geometry_of
from kornia_srgan.inference.recipe import load_network
from kornia_srgan.inference.tiling import Tiling, upscale_bands
from kornia_srgan.inference.work import OneByOne


class SuperResolve(ImageModule):
    """A `kornia.core.ImageModule` that enlarges images: PIL images, arrays, tensors and paths in and out.

    It can be combined with Kornia's modules, moved with `.to(device)`, and its result can be shown and saved
    by `.show()` and `.save()`. Usually the input is processed in tiles without seams, and the result is
    clamped to [0, 1]. If the input requires gradients, it passes through the generator whole and is not
    clamped.

    Args:
        source: A generator, or weights: a packaged name, a file, or None for `srresnet-x4`.
        tile: Side of a tile in LR pixels; 0 for the whole image at once.

    Shape:
        - Input: `(B, 3, H, W)` or `(3, H, W)`, floating point in [0, 1].
        - Output: the same with H and W times `scale`.

    Raises:
        WeightsError: If the weights do not exist or are damaged.

    Example:
        >>> class Nearest(nn.Upsample):
        ...     scale, halo = 2, 0
        >>> SuperResolve(Nearest(scale_factor=2))(torch.rand(1, 3, 4, 5)).shape
        torch.Size([1, 3, 8, 10])
    """

    def __init__(self, source: nn.Module | str | Path | None = None, *, tile: int = 256) -> None:
        super().__init__()
        self.generator = source if isinstance(source, nn.Module) else load_network(source)
        self.generator.eval()
        geometry = geometry_of(self.generator, measure=tile != 0)
        self.scale = geometry.scale
        self._tiling = Tiling(tile, geometry.halo, geometry.scale, geometry.align, geometry.blend)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge a batch or one image."""
        if images.ndim == 3:
            return self.forward(images[None])[0]
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            shape = tuple(images.shape)
            raise ImageError(
                f"images must be (B, 3, H, W), floating point, not {shape} {images.dtype}", where="images"
            )
        if torch.is_grad_enabled() and images.requires_grad:
            return self.generator(images)
        with torch.no_grad():
            return torch.cat([self._tiled(image[None]) for image in images])

    def _tiled(self, image: Tensor) -> Tensor:
        return torch.cat(list(upscale_bands(OneByOne(self.generator), image, self._tiling)), dim=-2).clamp(
            0, 1
        )


def as_kornia(source: nn.Module | str | Path | None = None, *, name: str = "kornia_srgan") -> SuperResolution:
    """Wrap a generator as `kornia.contrib.SuperResolution`, for whole images of any size, clamped to [0, 1].

    Args:
        source: A generator, or weights: a packaged name, a file, or None for `srresnet-x4`.
        name: Used in the names of saved and exported files.

    Raises:
        WeightsError: If the weights do not exist or are damaged.
    """
    generator = source if isinstance(source, nn.Module) else load_network(source)
    return SuperResolution(
        generator,
        pre_processor=nn.Identity(),
        post_processor=OutputRangePostProcessor(min_val=0.0, max_val=1.0),
        name=name,
    )
