"""What each output format can hold, and the choices that the user has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import ImageColor

from kornia_srgan.errors import ImageError, UserError, did_you_mean
from kornia_srgan.photos.header import Header

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: As Pillow calls it.
        suffixes: The first is the usual one.
        alpha: It holds transparency.
        deep: It holds 16 bits a channel.
        floating: It holds floating point.
        cmyk: It holds CMYK.
        animation: It holds frames in time.
        pages: It holds pages.
        longest: The most pixels on a side.
    """

    name: str
    suffixes: tuple[str, ...]
    alpha: bool = False
    deep: bool = False
    floating: bool = False
    cmyk: bool = False
    animation: bool = False
    pages: bool = False
    longest: int = 2**31 - 1


FORMATS = {
    f.name: f
    for f in (
        Format("PNG", (".png", ".apng"), alpha=True, deep=True, animation=True),
        Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), cmyk=True, longest=65500),
        Format("WEBP", (".webp",), alpha=True, animation=True, longest=16383),
        Format("TIFF", (".tif", ".tiff"), alpha=True, deep=True, floating=True, cmyk=True, pages=True),
        Format("AVIF", (".avif",), alpha=True, animation=True, longest=65536),
        Format("GIF", (".gif",), alpha=True, animation=True, longest=65535),
        Format("BMP", (".bmp",)),
    )
}
_BY_SUFFIX = {suffix: f for f in FORMATS.values() for suffix in f.suffixes}


@dataclass(frozen=True)
class WriteOptions:
    """How to write.

    Attributes:
        quality: 1 to 100; None for lossless where the format can be, 95 for JPEG, 90 for AVIF.
        subsampling: How much of the colour's resolution JPEG and AVIF keep.
        background: What shows through transparency in formats without it.
    """

    quality: int | None = None
    subsampling: Subsampling = "4:4:4"
    background: tuple[int, int, int] = (255, 255, 255)


def format_of(path: str | Path) -> Format:
    """The format that a file name asks for.

    Raises:
        ImageError: If its suffix is none that can be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _BY_SUFFIX:
        known = ", ".join(f.suffixes[0] for f in FORMATS.values())
        raise ImageError(f"cannot write '{path}': the suffix '{suffix}' is none of {known}")
    return _BY_SUFFIX[suffix]


def named_format(name: str) -> Format:
    """A format by its name or suffix.

    Raises:
        UserError: If there is none of that name.
    """
    key = name.lower().removeprefix(".")
    for found in FORMATS.values():
        if key == found.name.lower() or f".{key}" in found.suffixes:
            return found
    names = [f.name.lower() for f in FORMATS.values()]
    raise UserError(f"unknown format '{name}'{did_you_mean(key, names) or '; known: ' + ', '.join(names)}")


def parse_color(text: str) -> tuple[int, int, int]:
    """A colour by its name or as `#rrggbb`.

    Raises:
        UserError: If it is neither.
    """
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise UserError(f"unknown colour '{text}'; use a name like white or #rrggbb") from error


def default_format(header: Header) -> Format:
    """The format that loses nothing of a picture: its own where that can be, else PNG, or TIFF for CMYK."""
    if header.frames > 1 and header.format in ("GIF", "WEBP"):
        return FORMATS[header.format]
    if header.format in ("TIFF", "WEBP"):
        return FORMATS[header.format]
    return FORMATS["TIFF" if header.mode in ("CMYK", "F") else "PNG"]
