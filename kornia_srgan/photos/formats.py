"""The output formats, what each can store, and the options of the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import ImageColor

from kornia_srgan.errors import ImageError, UserError, did_you_mean
from kornia_srgan.photos.header import Header

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
Alpha = Literal["binary", "full"]

_ZLIB_RLE = 3


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


def _no_options(options: WriteOptions) -> Mapping[str, object]:
    return {}


def _png_options(options: WriteOptions) -> Mapping[str, object]:
    # Runs only: on enlarged photographs a fifth of the time of zlib's default, 1 % larger.
    return {"compress_type": _ZLIB_RLE}


def _jpeg_options(options: WriteOptions) -> Mapping[str, object]:
    return {"quality": options.quality or 95, "subsampling": options.subsampling, "optimize": False}


def _webp_options(options: WriteOptions) -> Mapping[str, object]:
    if options.quality is None:
        return {"lossless": True, "quality": 75, "method": 2, "exact": True}
    return {"quality": options.quality, "method": 4}


def _avif_options(options: WriteOptions) -> Mapping[str, object]:
    return {"quality": options.quality or 90, "subsampling": options.subsampling, "speed": 8}


@dataclass(frozen=True)
class Format:
    """What a file format can hold, and how we write it.

    Attributes:
        name: As Pillow calls it.
        suffixes: The first one is the default.
        alpha: The transparency it holds: a pixel is there or not (`binary`), any share (`full`), or None.
        deep: It holds 16 bits a channel.
        floating: It holds floating point.
        grey: It holds grey as one channel; else grey is written as RGB.
        cmyk: It holds CMYK.
        animation: It holds frames in time.
        pages: It holds pages.
        icc: It holds an ICC profile.
        exif: It holds EXIF.
        xmp: It holds an XMP packet.
        iptc: It holds IPTC captions.
        texts: It holds texts under names; XMP is one of them.
        comments: It holds comments.
        segments: Its captions are segments that we write ourselves.
        exif_limit: The most bytes of EXIF that it holds; 0 where there is no limit.
        dpi: It holds a resolution.
        stills: A still picture that is read from it is written as it unless the user says otherwise.
        animations: So is an animation.
        stated_once: An animation that plays once must say so; without a word it repeats for ever.
        frames_at_once: Its encoder wants all frames at once.
        disposes: Its frames say what becomes of them before the next one.
        strips: It is written row by row, without the whole picture in memory.
        longest: The most pixels on a side.
        encoder: The options of Pillow's encoder, from the user's options.
    """

    name: str
    suffixes: tuple[str, ...]
    alpha: Alpha | None = None
    deep: bool = False
    floating: bool = False
    grey: bool = True
    cmyk: bool = False
    animation: bool = False
    pages: bool = False
    icc: bool = True
    exif: bool = True
    xmp: bool = True
    iptc: bool = False
    texts: bool = False
    comments: bool = False
    segments: bool = False
    exif_limit: int = 0
    dpi: bool = False
    stills: bool = False
    animations: bool = False
    stated_once: bool = False
    frames_at_once: bool = False
    disposes: bool = False
    strips: bool = False
    longest: int = 2**31 - 1
    encoder: Callable[[WriteOptions], Mapping[str, object]] = _no_options


FORMATS = {
    f.name: f
    for f in (
        Format(
            "PNG", (".png", ".apng"), alpha="full", deep=True, animation=True, dpi=True,
            stills=True, animations=True, stated_once=True, frames_at_once=True, texts=True,
            iptc=True, encoder=_png_options,
        ),
        Format(
            "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), cmyk=True, dpi=True,
            longest=65500, iptc=True, comments=True, segments=True, exif_limit=65_527, encoder=_jpeg_options,
        ),
        Format(
            "WEBP", (".webp",), alpha="full", animation=True, stills=True, animations=True,
            stated_once=True, grey=False, longest=16383, encoder=_webp_options,
        ),
        Format(
            "TIFF", (".tif", ".tiff"), alpha="full", deep=True, floating=True, cmyk=True, pages=True,
            dpi=True, stills=True, strips=True, iptc=True,
        ),
        Format(
            "AVIF", (".avif",), alpha="full", animation=True, grey=False, longest=65536, encoder=_avif_options
        ),
        Format(
            "GIF", (".gif",), alpha="binary", animation=True, icc=False, exif=False, xmp=False,
            animations=True, disposes=True, comments=True, longest=65535,
        ),
        Format("BMP", (".bmp",), icc=False, exif=False, xmp=False, dpi=True),
    )
}  # fmt: skip
PLAIN = Format("RGB", ())
"""What all can show: 8-bit grey or RGB without transparency."""
_BY_SUFFIX = {suffix: f for f in FORMATS.values() for suffix in f.suffixes}


def format_of(path: str | Path) -> Format:
    """The format that a file name asks for.

    Raises:
        ImageError: If its suffix is none that can be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _BY_SUFFIX:
        known = ", ".join(f.suffixes[0] for f in FORMATS.values())
        raise ImageError(f"cannot write '{path}': the suffix '{suffix}' is none of {known}", where=path)
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
    raise UserError(
        f"unknown format '{name}'{did_you_mean(key, names) or '; known: ' + ', '.join(names)}", where="format"
    )


def parse_color(text: str) -> tuple[int, int, int]:
    """A colour by its name or as `#rrggbb`.

    Raises:
        UserError: If it is neither.
    """
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise UserError(
            f"unknown colour '{text}'; use a name like white or #rrggbb", where="background"
        ) from error


def default_format(header: Header) -> Format:
    """The format that loses nothing of a picture: its own where that can be, else PNG, or TIFF for CMYK."""
    own = FORMATS.get(header.format)
    if own is not None and (own.stills or (own.animations and header.frames > 1)):
        return own
    return FORMATS["TIFF" if header.mode in ("CMYK", "F") else "PNG"]
