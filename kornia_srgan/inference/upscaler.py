"""`Upscaler`: enlarges PIL images, arrays and tensors, and returns the same type."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from kornia_srgan.engines.choice import check_dtype_elsewhere, computed_elsewhere, with_engine
from kornia_srgan.errors import ImageError, located
from kornia_srgan.geometry import bands_of, geometry_of
from kornia_srgan.inference.calls import Calls
from kornia_srgan.inference.compute import PHOTOGRAPH, Pieces, compute_strips
from kornia_srgan.inference.dial import AutoDial
from kornia_srgan.inference.gaps import empty_again, fill_gaps
from kornia_srgan.inference.intake import check_channels
from kornia_srgan.inference.networks import Networks
from kornia_srgan.inference.origin import Origin, is_known_elsewhere
from kornia_srgan.inference.parts import Part, parts_of, trimmed
from kornia_srgan.inference.recipe import Recipe, called_with
from kornia_srgan.inference.restore import restore_amount
from kornia_srgan.inference.streaming.streamer import Streamer, streamer_of
from kornia_srgan.inference.tile_size import check_tile, stream_budget, tiling_for
from kornia_srgan.inference.tiling import Tiling, upscale_bands
from kornia_srgan.inference.values import StatedValues, Values
from kornia_srgan.optimize.device import pick_device, pick_dtype

Pixels = NDArray[Any]
_Asked = tuple[int | Literal["auto"], torch.dtype | str, bool]
ImageT = TypeVar("ImageT", Image.Image, Pixels, Tensor)


class Upscaler(Calls):
    """Enlarges pictures of any size with a generator, in strips of rows or in tiles without seams.

    A call takes and returns the same type, dtype and device:

    - a PIL image, whose mode is kept if possible, see `kornia_srgan.inference.picture.enlarge_pil`;
    - an array `(H, W)`, `(H, W, 1)` or `(H, W, 3)` of `uint8`, `uint16` or floating point in [0, 1];
    - a tensor `(B, C, H, W)` or `(C, H, W)` with C of 1 or 3, of the same dtypes.

    One channel is grey: it is enlarged as RGB, and the three channels are averaged. Results are clamped to
    the range of the dtype. NaN and infinity are computed again in float32. An `Upscaler` is immutable, so
    threads can share it. It can be pickled: one of `from_pretrained` as names, paths and options, with its
    weights loaded once per process; any other with its weights.

    Weights for N channels take arrays `(H, W, N)` (for N = 1 also `(H, W)`) and tensors of N channels. With
    a stated range the values are those of the data, in any integer or floating dtype: 0 to 10000, say. NaN is
    a pixel without data, and stays one. `upscale_file` enlarges whole files, also larger than memory.

    Args:
        generator: An `nn.Module` that is a `contracts.Generator`. It is copied, and the original is not
            changed.
        tile: Side of a tile in LR pixels; `"auto"` chooses by free memory, 0 processes the whole image at
            once.
        device: The device; None for the fastest one of this machine.
        dtype: `float32`, `float16`, `bfloat16` or `auto`: float16 on CUDA; on a CPU float32, with
            convolutions in bfloat16 if that is faster and within 2 grey levels.
        compile: Use `torch.compile`, which compiles once per tile shape; not yet measured on a GPU.
        engine: `torch`, `onnxruntime`, `openvino`, or `auto`; see `engines.choice.with_engine`.
        provider: For ONNX Runtime: cpu, cuda, tensorrt, directml, coreml, openvino.
        data_range: The stored values that are 0 and 1 to the generator, such as (0, 10000); None for
            photographs.
        dial: If given, each picture gets its own network, chosen by `restore_amount`; `generator` is then the
            network for clean pictures.

    Attributes:
        channels: The channels of the generator's images, by its attribute `bands`; 3 without one.
        data_range: As given.
        restore: How much noise and compression is removed, in [0, 1]; None for generators without this
            setting, and if it is chosen for each picture.

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
        dial: AutoDial | None = None,
        engine: str = "torch",
        provider: str | None = None,
        data_range: tuple[float, float] | None = None,
    ) -> None:
        check_tile(tile)
        generator = with_engine(generator, engine, provider, dtype=dtype)
        if computed_elsewhere(generator):
            check_dtype_elsewhere(generator, dtype)
            device, dtype = "cpu" if device in (None, "auto") else device, torch.float32
        self.channels, self.data_range = bands_of(generator), data_range
        self._values: Values = StatedValues(*data_range) if data_range else PHOTOGRAPH
        geometry = geometry_of(generator, measure=tile != 0)
        self.scale = geometry.scale
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device, generator)
        self._networks = Networks(
            generator,
            self.device,
            self.dtype,
            mixed=isinstance(dtype, str) and dtype == "auto",
            compile=compile,
        )
        self._geometry = geometry
        self._by_rows = tile == "auto" and not compile and not geometry.blend and self.device.type == "cpu"
        self._origin: Origin | None = None
        self.restore: float | None = None
        self._dial = dial
        self._asked: _Asked = (tile, dtype, compile)
        if dial is None:  # else each picture gets another network
            _ = self._tiling, self._pieces  # made here: their errors are the caller's

    @classmethod
    @called_with(Recipe)
    def from_pretrained(cls, recipe: Recipe) -> Upscaler:  # noqa: D417 (called with a recipe's arguments)
        """Create an upscaler from weights, with the options of the command `upscale`.

        Args:
            source: A packaged name, a safetensors or ONNX file, or None for the default, `photo-x4`.
            interpolate: Two weights and a share, instead of `source`: 0 is the first, 1 the second.
            ensemble: Average the results of eight flips and rotations; eight times the work.
            color_fix: Take the coarse colour from the input.
            restore: For weights `photo-*`: how much noise to remove, 0 to 1, or `auto` for each picture.
            sharp: For `photo-x4`: how far to go towards GAN weights, 0 to 1. They invent texture.
            then: Weights to apply to the result, in order, such as ones that enlarge after a x1 network.
            tile: See the class, as for the following arguments.
            device: The device.
            dtype: The dtype.
            compile: Use `torch.compile`.
            engine: The engine.
            provider: The execution provider of ONNX Runtime.

        Raises:
            WeightsError: If weights do not exist, are damaged, or do not fit together.
            ArgumentError: If an argument cannot be used.
        """
        built = recipe.build()
        made = cls(
            built.generator,
            tile=recipe.tile,
            device=recipe.device,
            dtype=recipe.dtype,
            compile=recipe.compile,
            dial=built.dial,
            data_range=built.data_range,
        )
        if recipe.has_dial and recipe.restore != "auto":
            made.restore = recipe.restore
        if cls is Upscaler and is_known_elsewhere(built.generator):
            made._origin = Origin.of(recipe)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle the origin; without one, or where its files have changed since, everything."""
        origin = None if self._origin is None else self._origin.portable()
        return super().__reduce_ex__(protocol) if origin is None else (_again, (origin,))

    @property
    def note(self) -> str:
        """A note about the result for the user; empty for most generators."""
        # Only these have one; for the rest of a dial's, no network need be prepared to say so.
        return self._tiling.note if self._geometry.blend or self._geometry.halo is None else ""

    @property
    def halo(self) -> int | None:
        """LR pixels by which tiles overlap; None if pictures are processed whole."""
        return self._tiling.halo

    @property
    def tile(self) -> int:
        """Side of a tile in LR pixels; 0 if pictures are processed whole."""
        return self._tiling.tile

    @cached_property
    def _tiling(self) -> Tiling:
        return tiling_for(self.generator, self._geometry, self._asked[0], self.device, self.dtype)

    @cached_property
    def _pieces(self) -> Pieces:
        alone = self._asked[2]  # a compiled network is one for one shape
        return Pieces(self._networks, self._values, self.channels, alone=alone)

    @property
    def generator(self) -> nn.Module:
        """The optimized generator, on the device and in the dtype."""
        return self._networks.fast

    def __call__(self, image: ImageT, *, differentiable: bool = False) -> ImageT:
        """Enlarge an image `scale` times.

        Args:
            image: A PIL image, an array or a tensor; see the class.
            differentiable: Let gradients flow from the result to a floating-point tensor. The image is
                processed whole and not clamped, because clamping stops gradients.

        Raises:
            ImageError: If the type, shape or dtype is not supported.
        """
        with located("image"):
            if isinstance(image, Tensor):
                return self._tensor(image, differentiable)
            kind = type(image).__name__
            if differentiable:
                raise ImageError(f"only tensors are differentiable, not {kind}")
            if isinstance(image, Image.Image):
                from kornia_srgan.inference.picture import enlarge_pil

                return enlarge_pil(image, self)
            if isinstance(image, np.ndarray):
                return self._array(image)
            raise ImageError(f"an image must be a PIL image, an array or a tensor, not {kind}")

    def tuned(self, pixels: Pixels, quality: int | None = None) -> Upscaler:
        """The upscaler for one picture; this one, unless `restore` is chosen for each picture.

        Args:
            pixels: `(H, W, 1)` or `(H, W, 3)`, `uint8`, `uint16` or floating point in [0, 1].
            quality: The quality of its compression, 1 to 100, if known.
        """
        if self._dial is None:
            return self
        amount = restore_amount(pixels, quality)
        return self._dial.upscaler(amount, self._at)

    def _at(self, generator: nn.Module, amount: float) -> Upscaler:
        tile, dtype, compile = self._asked
        made = Upscaler(generator, tile=tile, device=self.device, dtype=dtype, compile=compile)
        made.restore = amount
        if self._origin is not None:
            made._origin = self._origin.at_restore(amount, self.device)
        return made

    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        """Yield the enlarged pixels from top to bottom, some rows at a time, to bound memory.

        Args:
            pixels: `(H, W, C)`; see the class for channels and values.

        Yields:
            `(rows, scale*W, C)` of the same dtype.
        """
        if self._dial is not None:
            yield from self.tuned(pixels).bands(pixels)
            return
        check_channels(pixels.shape[-1], self.channels, self.data_range)
        gaps = np.isnan(pixels).transpose(2, 0, 1) if self.data_range and pixels.dtype.kind == "f" else None
        if gaps is not None and gaps.any():
            filled = fill_gaps(np.moveaxis(pixels, -1, 0), gaps, sum(self.data_range or ()) / 2)
            whole = self.bands(np.ascontiguousarray(np.moveaxis(filled, 0, -1), pixels.dtype))
            yield from empty_again(whole, gaps, self.scale)
            return
        if not pixels.flags.writeable:  # torch warns of these, although nothing is written
            pixels = pixels.copy()
        for band in self._bands(torch.from_numpy(pixels).movedim(-1, 0)[None]):
            yield band[0].movedim(0, -1).numpy()

    def parts(self, height: int, width: int, count: int) -> list[Part]:
        """Parts of a picture, at least two, that `count` processes can enlarge by `part`; else empty."""
        return parts_of(height, width, count, self._tiling, self._streamer_of(width))

    def part(self, seen: Pixels, part: Part) -> Iterator[Pixels]:
        """`bands` for a part of a picture: the same pixels that the whole picture has there.

        Args:
            seen: The rows from `part.top` to `part.bottom`.
            part: From `parts`.
        """
        image = torch.from_numpy(np.ascontiguousarray(seen)).movedim(-1, 0)[None]
        first, stop = part.first - part.top, part.stop - part.top
        by_rows = self._streamer_of(image.shape[-1]) is not None
        whole = trimmed(self._bands(image), first * self.scale, stop * self.scale)
        for band in whole if by_rows else self._tiles(image, first, stop):
            yield band[0].movedim(0, -1).numpy()

    @cached_property
    def _streamer(self) -> Streamer | None:
        # On first use: of a dial's networks only those of the pictures are needed.
        return streamer_of(self.generator, self._geometry) if self._by_rows else None

    def _streamer_of(self, width: int) -> Streamer | None:
        fits = self._streamer is not None and self._streamer.memory(width) <= stream_budget()
        return self._streamer if fits else None

    def limits(self, dtype: np.dtype[Any]) -> tuple[float, float]:
        """The lowest and highest value of a result of that dtype."""
        return self._values.limits(dtype)

    def _bands(self, image: Tensor) -> Iterator[Tensor]:
        self._values.check(image)
        done = 0
        streamer = self._streamer_of(image.shape[-1])
        if streamer is not None:
            for band in compute_strips(streamer, self.dtype, image, self._values, self.channels):
                done += band.shape[-2]
                yield band
        # What is left, where memory ran out or the dtype could not hold the numbers; else all.
        start, extra = divmod(done, self.scale)
        if start == image.shape[-2]:
            return
        for band in self._tiles(image, start):
            yield band[:, :, extra:]
            extra = 0

    def _tiles(self, image: Tensor, start: int, stop: int | None = None) -> Iterator[Tensor]:
        return upscale_bands(self._pieces, image, self._tiling, start=start, stop=stop)


@lru_cache(maxsize=8)
def _again(origin: Origin) -> Upscaler:
    """Restore a pickle. Upscalers are immutable, so equal ones are shared."""
    origin.settle()
    return Upscaler.from_pretrained(**vars(origin.recipe))
