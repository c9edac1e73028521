"""`Upscaler`: makes a picture larger, whatever it comes as, and gives back the same kind of thing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from kornia_srgan.errors import ArgumentError, ImageError
from kornia_srgan.geometry import geometry_of
from kornia_srgan.inference.compute import checked, compute_strips, compute_tile, forward
from kornia_srgan.inference.halo import practical_halo
from kornia_srgan.inference.networks import Networks
from kornia_srgan.inference.streaming.streamer import Streamer, streamer_of
from kornia_srgan.inference.tile_size import auto_tile, stream_budget
from kornia_srgan.inference.tiling import Tiling, upscale_bands
from kornia_srgan.inference.values import check_dtype, check_range
from kornia_srgan.inference.wrappers import Recipe
from kornia_srgan.optimize.device import pick_device, pick_dtype

Pixels = NDArray[Any]
ImageT = TypeVar("ImageT", Image.Image, Pixels, Tensor)


class Upscaler:
    """Enlarges pictures with a generator, in strips of rows or in tiles that leave no trace.

    A call takes and returns the same type, dtype and device:

    - a PIL image: see `kornia_srgan.inference.picture.enlarge_pil`; the mode is kept where it can be;
    - an array `(H, W)`, `(H, W, 1)` or `(H, W, 3)` of `uint8`, `uint16` or floating point in [0, 1];
    - a tensor `(B, C, H, W)` with C of 1 or 3, of the same dtypes.

    One channel is grey: the generator sees it as RGB and its three answers are averaged. Results are clamped
    to the range of the dtype; what comes out as NaN or infinity is computed again in float32. An `Upscaler`
    never changes after it is made: many threads may call it at once. It can be pickled; one that
    `from_pretrained` made of packaged weights goes by their names and loads them once in each process.

    Args:
        generator: An `nn.Module` that is a `protocols.Generator`. It is copied; the original stays as it is.
        tile: Side of a tile in LR pixels, `"auto"` to choose by free memory, 0 for the whole image at once.
        device: Where to compute; None for the fastest device here.
        dtype: What to compute in: `float32`, `float16`, `bfloat16`, or `auto`: float16 on CUDA, else float32.
        compile: Let `torch.compile` make the kernels, once for each shape of tile; not yet measured on a GPU.

    Raises:
        ArgumentError: If the device, the dtype or the tile cannot be used.

    Example:
        >>> from torch import nn
        >>> class Nearest(nn.Upsample):
        ...     scale, halo = 2, 0
        >>> Upscaler(Nearest(scale_factor=2), device="cpu")(np.zeros((3, 5, 3), np.uint8)).shape
        (6, 10, 3)
    """

    def __init__(
        self,
        generator: nn.Module,
        *,
        tile: int | Literal["auto"] = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | str = torch.float32,
        compile: bool = False,
    ) -> None:
        if tile != "auto" and (not isinstance(tile, int) or tile < 0):
            raise ArgumentError(
                f"tile is {tile!r}; it must be 'auto', 0 (the whole image) or a number of pixels",
                where="tile",
            )
        geometry = geometry_of(generator, measure=tile != 0)
        self.scale = geometry.scale
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self._networks = Networks(generator, self.device, self.dtype, compile=compile)
        self.halo = practical_halo(self.generator, geometry.halo) if tile != 0 else None
        self.tile = auto_tile(self.generator, self.device, self.dtype, self.halo) if tile == "auto" else tile
        self._tiling = Tiling(self.tile, self.halo, self.scale, geometry.align)
        self._streamer: Streamer | None = None
        if tile == "auto" and not compile and self.device.type == "cpu":
            self._streamer = streamer_of(self.generator, geometry)
        self._made_of: tuple[Any, ...] | None = None

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path | None = None,
        *,
        interpolate: tuple[str | Path, str | Path, float] | None = None,
        ensemble: bool = False,
        color_fix: bool = False,
        tile: int | Literal["auto"] = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | str = torch.float32,
        compile: bool = False,
    ) -> Upscaler:
        """An upscaler from weights, with all that the command `upscale` offers.

        Args:
            source: A zoo name, a safetensors file, or None for the default.
            interpolate: Two weights and a share instead of `source`: 0 is the first, 1 the second.
            ensemble: The mean over eight flips and turns; eight times the work.
            color_fix: Take the coarse colour from the input.
            tile: See the class, as for all that follow.
            device: Where to compute.
            dtype: What to compute in.
            compile: Let `torch.compile` make the kernels.

        Raises:
            WeightsError: If there are no such weights, they are damaged, or two are of different kinds.
            ArgumentError: If an argument cannot be used.
        """
        recipe = Recipe(source, interpolate, ensemble, color_fix)
        made = cls(recipe.build(), tile=tile, device=device, dtype=dtype, compile=compile)
        if cls is Upscaler and recipe.names_only:
            made._made_of = (recipe, tile, device, dtype, compile)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Packaged weights are pickled as their names, others whole."""
        return super().__reduce_ex__(protocol) if self._made_of is None else (_again, self._made_of)

    @property
    def generator(self) -> nn.Module:
        """The optimised generator that computes, on the device and in the dtype."""
        return self._networks.fast

    def __call__(self, image: ImageT, *, differentiable: bool = False) -> ImageT:
        """The image, `scale` times larger.

        Args:
            image: A PIL image, an array or a tensor; see the class.
            differentiable: Let gradients flow from the result to a floating-point tensor. It goes through the
                generator whole and is not clamped, because clamping stops gradients.

        Raises:
            ImageError: If the shape or dtype is none of those above.
        """
        if isinstance(image, Tensor):
            return self._tensor(image, differentiable)
        if differentiable:
            raise ImageError(f"only tensors are differentiable, not {type(image).__name__}")
        if isinstance(image, Image.Image):
            from kornia_srgan.inference.picture import enlarge_pil

            return enlarge_pil(image, self)
        if isinstance(image, np.ndarray):
            return self._array(image)
        raise ImageError(f"an image must be a PIL image, an array or a tensor, not {type(image).__name__}")

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width of the result for an image of `height` x `width`."""
        return self.scale * height, self.scale * width

    def notes(self, height: int, width: int) -> tuple[str, ...]:
        """Nothing: what a user should know of a result for an image of `height` x `width`."""
        del height, width
        return ()

    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        """The enlarged pixels from top to bottom, some rows at a time, so that memory stays bounded.

        Args:
            pixels: `(H, W, 1)` or `(H, W, 3)`, `uint8`, `uint16` or floating point in [0, 1].

        Yields:
            `(rows, scale*W, C)` of the same dtype.
        """
        if not pixels.flags.writeable:  # torch warns of these, although nothing is written
            pixels = pixels.copy()
        for band in self._bands(torch.from_numpy(pixels).movedim(-1, 0)[None]):
            yield band[0].movedim(0, -1).numpy()

    def _bands(self, image: Tensor) -> Iterator[Tensor]:
        check_range(image)
        done = 0
        if self._streamer is not None and self._streamer.memory(image.shape[-1]) <= stream_budget():
            for band in compute_strips(self._streamer, self.dtype, image):
                done += band.shape[-2]
                yield band
        # What is left, where memory ran out or the dtype could not hold the numbers; else all.
        start, extra = divmod(done, self.scale)
        if start == image.shape[-2]:
            return
        spare = self._on_cpu if self.device.type != "cpu" else None
        for band in upscale_bands(self._piece, image, self._tiling, last_resort=spare, start=start):
            yield band[:, :, extra:]
            extra = 0

    def _piece(self, piece: Tensor) -> Tensor:
        """Enlarge one piece of stored values; in float32 where the dtype cannot hold the numbers."""
        result = compute_tile(self.generator, self.device, self.dtype, piece)
        if result is None and self.dtype != torch.float32:
            result = compute_tile(self._networks.exact, self.device, torch.float32, piece)
        return checked(result)

    def _on_cpu(self, piece: Tensor) -> Tensor:
        return checked(compute_tile(self._networks.spare, torch.device("cpu"), torch.float32, piece))

    def _array(self, pixels: Pixels) -> Pixels:
        channels = 1 if pixels.ndim == 2 else pixels.shape[-1] if pixels.ndim == 3 else 0
        if channels not in (1, 3) or 0 in pixels.shape:
            raise ImageError(
                f"an array must be (H, W), (H, W, 1) or (H, W, 3) and not empty, not {pixels.shape}"
            )
        native = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
        _check_array_dtype(native)
        planes = native.reshape(*native.shape[:2], channels)
        height, width = planes.shape[:2]
        output = np.empty((self.scale * height, self.scale * width, channels), planes.dtype)
        fill(output, self.bands(planes))
        return output.reshape(*output.shape[:2], *pixels.shape[2:])

    def _tensor(self, images: Tensor, differentiable: bool) -> Tensor:
        if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape[-2:]:
            shape = tuple(images.shape)
            raise ImageError(f"a tensor must be (B, 1 or 3, H, W) and not empty, not {shape}")
        check_dtype(images.dtype)
        if differentiable:
            if not images.dtype.is_floating_point:
                raise ImageError(f"only floating-point tensors are differentiable, not {images.dtype}")
            check_range(images.detach())
            output = forward(self.generator, images.to(self.device, self.dtype))
            return output.to(images.device, images.dtype)
        batch, channels, height, width = images.shape
        shape = (batch, channels, self.scale * height, self.scale * width)
        output = torch.empty(shape, dtype=images.dtype, device=images.device)
        for index in range(batch):
            row = 0
            for band in self._bands(images[index : index + 1].detach()):
                output[index : index + 1, :, row : row + band.shape[-2]] = band
                row += band.shape[-2]
        return output


@lru_cache(maxsize=4)
def _again(
    recipe: Recipe,
    tile: int | Literal["auto"],
    device: torch.device | str | None,
    dtype: torch.dtype | str,
    compile: bool,
) -> Upscaler:
    """What a pickle becomes; nothing changes an upscaler, so those who ask for the same share it."""
    return Upscaler.from_pretrained(
        recipe.weights,
        interpolate=recipe.interpolate,
        ensemble=recipe.ensemble,
        color_fix=recipe.color_fix,
        tile=tile,
        device=device,
        dtype=dtype,
        compile=compile,
    )


def fill(output: Pixels, bands: Iterator[Pixels]) -> None:
    """Write bands into an array, from its first row on."""
    row = 0
    for band in bands:
        output[row : row + len(band)] = band
        row += len(band)


def _check_array_dtype(pixels: Pixels) -> None:
    try:
        dtype = torch.from_numpy(np.empty(0, pixels.dtype)).dtype
    except TypeError as error:
        raise ImageError(f"an array of {pixels.dtype} is no image; use uint8, uint16 or float32") from error
    check_dtype(dtype)
