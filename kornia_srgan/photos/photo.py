"""What a picture file holds, apart from any file format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kornia_srgan.errors import ImageError

Pixels = NDArray[Any]
Space = Literal["L", "RGB", "CMYK"]

CHANNELS: dict[Space, int] = {"L": 1, "RGB": 3, "CMYK": 4}


@dataclass(frozen=True)
class Text:
    """A text about a picture.

    Attributes:
        keyword: What it is about, in PNG's words: `Comment`, `Author`, or what a program chose.
        value: The text.
        language: Its language, such as `de`; mostly empty.
        translated: The keyword in that language.
    """

    keyword: str
    value: str
    language: str = ""
    translated: str = ""


@dataclass(frozen=True)
class Metadata:
    """What a file says about its pixels.

    Attributes:
        icc: The ICC profile that the values are in.
        exif: A TIFF structure, without the `Exif` marker, orientation already reset.
        xmp: An XMP packet, orientation already reset.
        dpi: Pixels per inch, across and down.
        photoshop: A block of Photoshop's resources, with IPTC captions among them.
        texts: Comments and other texts.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    photoshop: bytes | None = None
    texts: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Frame:
    """One picture, upright.

    Attributes:
        pixels: `(H, W, C)`, C of 1, 3 or 4 by the photo's space; `uint8`, `uint16` or `float32` in [0, 1].
        alpha: `(H, W, 1)` of the same dtype, not multiplied into the pixels; None where all is opaque.
        duration: Milliseconds on the screen, in an animation.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    duration: float = 0.0


@dataclass(frozen=True)
class Photo:
    """A decoded file.

    Attributes:
        frames: One, or the frames of an animation, or the pages of a TIFF (these may differ in size).
        space: What the channels are.
        format: The name of the file format, as Pillow calls it.
        metadata: See `Metadata`.
        animated: The frames follow each other in time.
        loop: How often an animation repeats; 0 for ever, None for once.
        notes: What could not be kept, one sentence each.
        quality: At which a JPEG was saved, 1 to 100; None for other formats.
    """

    frames: Sequence[Frame]
    space: Space
    format: str
    metadata: Metadata = field(default_factory=Metadata)
    animated: bool = False
    loop: int | None = None
    notes: tuple[str, ...] = ()
    quality: int | None = None

    @property
    def width(self) -> int:
        """Of the first frame."""
        return self.frames[0].pixels.shape[1]

    @property
    def height(self) -> int:
        """Of the first frame."""
        return self.frames[0].pixels.shape[0]

    @property
    def megapixels(self) -> float:
        """Of all frames together."""
        return sum(f.pixels.shape[0] * f.pixels.shape[1] for f in self.frames) / 1e6


@dataclass(frozen=True)
class Raster:
    """A picture whose rows are made as they are asked for, once.

    Attributes:
        height: In pixels.
        width: In pixels.
        space: What the channels are.
        alpha: One more channel follows: opacity.
        dtype: Of the bands.
        bands: `(rows, width, channels)` from top to bottom.
        duration: Milliseconds on the screen, in an animation.
    """

    height: int
    width: int
    space: Space
    alpha: bool
    dtype: np.dtype[Any]
    bands: Iterator[Pixels]
    duration: float = 0.0

    @property
    def channels(self) -> int:
        """How many, opacity included."""
        return CHANNELS[self.space] + self.alpha


def white_of(dtype: np.dtype[Any]) -> float:
    """The value that means full intensity."""
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def unit_floats(pixels: Pixels) -> Pixels:
    """Floating-point pixels as float32.

    Raises:
        ImageError: If a value is not in [0, 1], where white is known.
    """
    if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
        raise ImageError("its floating-point values are not all in [0, 1]; scale them first")
    return pixels.astype(np.float32)


def split_alpha(pixels: Pixels, *, has_alpha: bool) -> Frame:
    """A frame of `(H, W, C)`, whose last channel is opacity where it has alpha."""
    if not has_alpha:
        return Frame(np.ascontiguousarray(pixels))
    return Frame(np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1:]))


def raster_of(frame: Frame, space: Space) -> Raster:
    """A frame that is there already, as one band."""
    pixels = frame.pixels if frame.alpha is None else np.concatenate([frame.pixels, frame.alpha], axis=-1)
    height, width = pixels.shape[:2]
    alpha = frame.alpha is not None
    return Raster(height, width, space, alpha, pixels.dtype, iter([pixels]), frame.duration)


def rechunk_bands(bands: Iterator[Pixels], rows: int) -> Iterator[Pixels]:
    """The same rows in bands of exactly `rows`; the last may be shorter."""
    waiting: list[Pixels] = []
    count = 0
    for band in bands:
        waiting.append(band)
        count += len(band)
        if count < rows:
            continue
        joined = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        whole = count // rows * rows
        for start in range(0, whole, rows):
            yield joined[start : start + rows]
        waiting, count = ([joined[whole:]], count - whole) if count > whole else ([], 0)
    if waiting:
        yield np.concatenate(waiting)
