"""`Upscaler`: makes a picture larger, whatever it comes as, and gives back the same kind of thing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from kornia_srgan.errors import ImageError, UserError
from kornia_srgan.inference.halo import halo_of, practical_halo
from kornia_srgan.inference.tile_size import auto_tile
from kornia_srgan.inference.tiling import Tiling, upscale_bands
from kornia_srgan.inference.values import check_dtype, from_unit, to_unit
from kornia_srgan.optimize.device import pick_device, pick_dtype, prepare

Pixels = NDArray[Any]
ImageT = TypeVar("ImageT", Image.Image, Pixels, Tensor)


class Upscaler:
    """Enlarges pictures with a generator, in tiles that leave no trace.

    A call takes and returns the same type, dtype and device:

    - a PIL image: see `kornia_srgan.inference.picture.enlarge_pil`; the mode is kept where it can be;
    - an array `(H, W)`, `(H, W, 1)` or `(H, W, 3)` of `uint8`, `uint16` or floating point in [0, 1];
    - a tensor `(B, C, H, W)` with C of 1 or 3, of the same dtypes.

    One channel is grey: the generator sees it as RGB and its three answers are averaged. Results are clamped
    to the range of the dtype. An `Upscaler` never changes after it is made: many threads may call it at once.

    Args:
        generator: An `nn.Module` that is a `protocols.Generator`. It is copied; the original stays as it is.
        tile: Side of a tile in LR pixels, `"auto"` to choose by free memory, 0 for the whole image at once.
        device: Where to compute; None for the fastest device here.
        dtype: What to compute in: `float32`, `float16`, `bfloat16`, or `auto`: float16 on CUDA, else float32.
        compile: Let `torch.compile` make the kernels, once for each shape of tile; not yet measured on a GPU.

    Raises:
        UserError: If the device, the dtype or the tile cannot be used.

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
            raise UserError(f"tile is {tile!r}; it must be 'auto', 0 (the whole image) or a number of pixels")
        self.scale = int(cast(Any, generator).scale)
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self.generator = prepare(generator, self.device, self.dtype, compile=compile)
        self._plain = prepare(generator, self.device, self.dtype, optimized=False)  # for gradients
        self.halo = practical_halo(self.generator, halo_of(generator)) if tile != 0 else None
        self.tile = auto_tile(self.generator, self.device, self.dtype, self.halo) if tile == "auto" else tile
        self._tiling = Tiling(self.tile, self.halo, self.scale, align=int(getattr(generator, "align", 1)))
        # Asked only when the device has no memory for the smallest tile.
        self._spare = generator if self.device.type != "cpu" else None

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path | None = None,
        *,
        tile: int | Literal["auto"] = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | str = torch.float32,
        compile: bool = False,
    ) -> Upscaler:
        """An upscaler from weights: a zoo name, a safetensors file, or None for the default.

        Raises:
            WeightsError: If there are no such weights or they are damaged.
        """
        from kornia_srgan.inference.wrappers import load

        return cls(load(source), tile=tile, device=device, dtype=dtype, compile=compile)

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
        run = partial(_run, self.generator, self.device, self.dtype)
        return upscale_bands(run, image, self._tiling, last_resort=self._run_on_cpu if self._spare else None)

    def _run_on_cpu(self, piece: Tensor) -> Tensor:
        cpu = torch.device("cpu")
        return _run(prepare(cast(nn.Module, self._spare), cpu, torch.float32), cpu, torch.float32, piece)

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
            output = _forward(self._plain, images.to(self.device, self.dtype))
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


@torch.inference_mode()
def _run(generator: nn.Module, device: torch.device, dtype: torch.dtype, piece: Tensor) -> Tensor:
    """Enlarge one tile of stored values to stored values, on the CPU."""
    unit = to_unit(piece.to(device), dtype)
    return from_unit(_forward(generator, unit), piece.dtype).cpu()


def _forward(generator: nn.Module, unit: Tensor) -> Tensor:
    grey = unit.shape[1] == 1
    rgb = unit.expand(-1, 3, -1, -1) if grey else unit
    output = generator(rgb.contiguous(memory_format=torch.channels_last))
    return output.mean(dim=1, keepdim=True) if grey else output


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
