"""Any output size: runs the generator as often as needed, then resamples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kornia_srgan.errors import ArgumentError
from kornia_srgan.inference.band_resampling import resample_bands
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.photo import Pixels


@dataclass(frozen=True)
class Wanted:
    """The requested size; at most one of the three is set.

    Attributes:
        scale: Times the input.
        width: In pixels; the height keeps the aspect ratio.
        long_side: The longer of width and height, in pixels.
    """

    scale: float | None = None
    width: int | None = None
    long_side: int | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) > 1:
            names = ", ".join(given)
            raise ArgumentError("give one of --scale, --width and --long-side, not several", where=names)
        for name, value in given.items():
            if not 0 < value < 2**31:
                raise ArgumentError(f"a size of {value} is not possible; it must be above 0", where=name)

    def factor(self, height: int, width: int, usual: float) -> float:
        """How many times larger a picture becomes; `usual` if no size is set."""
        if self.width is not None:
            return self.width / width
        if self.long_side is not None:
            return self.long_side / max(height, width)
        return self.scale if self.scale is not None else usual

    def label(self, usual: float) -> str:
        """The size in file names: `x4`, `1600w` for a width, `1600px` for a long side."""
        if self.width is not None:
            return f"{self.width}w"
        if self.long_side is not None:
            return f"{self.long_side}px"
        return f"x{self.scale if self.scale is not None else usual:g}"

    def size(self, height: int, width: int, usual: float) -> tuple[int, int]:
        """The height and width of the result, rounded, at least 1."""
        factor = self.factor(height, width, usual)
        return max(1, round(height * factor)), max(1, round(width * factor))


@dataclass(frozen=True)
class EvenWanted(Wanted):
    """A size of which both sides are even, as most video needs; where it is odd, one less."""

    def size(self, height: int, width: int, usual: float) -> tuple[int, int]:
        """The height and width of the result, at least 2."""
        rows, columns = super().size(height, width, usual)
        return max(2, rows // 2 * 2), max(2, columns // 2 * 2)


class Rescaler:
    """An `Enlarger` for any size.

    A generator of scale 4 makes x1.5 and x3 by shrinking its x4, and x6 with a second pass. A result that is
    not larger than the input is only resampled. A generator of scale 1, which restores, runs once before
    resampling.

    Args:
        upscaler: The upscaler.
        wanted: The requested size.
    """

    def __init__(self, upscaler: Upscaler, wanted: Wanted) -> None:
        self.upscaler = upscaler
        self.wanted = wanted

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width of the result for a picture of `height` x `width`."""
        return self.wanted.size(height, width, self.upscaler.scale)

    def notes(self, height: int, width: int) -> tuple[str, ...]:
        """Notes about the result for a picture of `height` x `width`, one sentence each."""
        target = self.size(height, width)
        if self.upscaler.scale > 1 or target[0] <= height:
            return ()
        return (f"the weights keep the size (x1): enlarged to {target[1]} x {target[0]} by interpolation",)

    @property
    def restore(self) -> float | None:
        """The upscaler's `restore`."""
        return self.upscaler.restore

    def tuned(self, pixels: Pixels, quality: int | None = None) -> Rescaler:
        """The rescaler for one picture, see `Upscaler.tuned`."""
        return Rescaler(self.upscaler.tuned(pixels, quality), self.wanted)

    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        """The resized pixels from top to bottom."""
        height, width = pixels.shape[:2]
        target = self.size(height, width)
        bands: Iterator[Pixels] = iter([pixels])
        for number in range(self._passes((height, width), target)):
            source = pixels if number == 0 else np.concatenate(list(bands))
            bands = self.upscaler.bands(source)
            height, width = self.upscaler.size(height, width)
        yield from resample_bands(bands, (height, width), target, self.upscaler.limits(pixels.dtype))

    def _passes(self, size: tuple[int, int], target: tuple[int, int]) -> int:
        """How often the generator runs until the picture is at least as large as requested."""
        if self.upscaler.scale == 1:
            return 1
        count = 0
        while size[0] < target[0] or size[1] < target[1]:
            size = self.upscaler.size(*size)
            count += 1
        return count
