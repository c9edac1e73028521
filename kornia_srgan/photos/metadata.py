"""EXIF, XMP, ICC and resolution: read from a Pillow image, orientation reset, sizes brought up to date."""

from __future__ import annotations

import re
from typing import Any

from PIL import Image, TiffImagePlugin, TiffTags

from kornia_srgan.photos.photo import Metadata

ORIENTATION = 0x0112
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
_WIDTH, _HEIGHT, _PIXEL_X, _PIXEL_Y = 0x0100, 0x0101, 0xA002, 0xA003

# Of a TIFF's own directory only what describes the photograph; the rest says how its strips lie in the file.
_DESCRIPTIVE = {
    0x010E,  # ImageDescription
    0x010F,  # Make
    0x0110,  # Model
    ORIENTATION,
    0x0131,  # Software
    0x0132,  # DateTime
    0x013B,  # Artist
    0x013C,  # HostComputer
    0x4746,  # Rating
    0x8298,  # Copyright
    0x9C9B,  # XPTitle
    0x9C9C,  # XPComment
    0x9C9D,  # XPAuthor
    0x9C9E,  # XPKeywords
    0x9C9F,  # XPSubject
    _EXIF_IFD,
    _GPS_IFD,
}


def read_metadata(image: Image.Image) -> tuple[Metadata, int, tuple[str, ...]]:
    """What an image says about itself, after its pixels were loaded.

    Returns:
        The metadata with orientation reset, the orientation (1 to 8) that the pixels still need, and notes on
        what is damaged and left out.
    """
    notes: list[str] = []
    orientation, exif = 1, None
    try:
        found = image.getexif()
        orientation = _as_orientation(found.get(ORIENTATION))
        exif = _clean_exif(found, from_tiff=False)
    except Exception as error:  # Pillow lets what a damaged directory raises through, and that is anything
        notes.append(f"its EXIF is damaged and left out ({type(error).__name__})")
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode("utf-8")
    icc = image.info.get("icc_profile")
    metadata = Metadata(
        icc=icc if isinstance(icc, bytes) and len(icc) >= 128 else None,
        exif=exif,
        xmp=_upright_xmp(xmp) if isinstance(xmp, bytes) else None,
        dpi=_as_dpi(image.info.get("dpi")),
    )
    return metadata, orientation, tuple(notes)


def read_tiff_metadata(data: bytes) -> tuple[Metadata, int, tuple[str, ...]]:
    """`read_metadata` for a TIFF, from the file: Pillow's open one forgets with the pixels."""
    exif = Image.Exif()
    exif.load(data)
    orientation = _as_orientation(exif.get(ORIENTATION))
    icc, xmp = exif.get(34675), exif.get(700)
    resolution = (exif.get(282), exif.get(283)) if exif.get(296, 2) == 2 else None
    try:
        cleaned, notes = _clean_exif(exif, from_tiff=True), ()
    except Exception as error:
        cleaned, notes = None, (f"its EXIF is damaged and left out ({type(error).__name__})",)
    metadata = Metadata(
        icc=icc if isinstance(icc, bytes) and len(icc) >= 128 else None,
        exif=cleaned,
        xmp=_upright_xmp(xmp) if isinstance(xmp, bytes) else None,
        dpi=_as_dpi(resolution),
    )
    return metadata, orientation, notes


def _as_orientation(value: Any) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _as_dpi(value: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(v) for v in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None


def _clean_exif(found: Image.Exif, from_tiff: bool) -> bytes | None:
    exif = Image.Exif()
    for tag, value in found.items():
        if tag in (_EXIF_IFD, _GPS_IFD) or (from_tiff and tag not in _DESCRIPTIVE):
            continue
        exif[tag] = value
    for directory in (_EXIF_IFD, _GPS_IFD):
        inner = dict(found.get_ifd(directory))
        if inner:
            exif.get_ifd(directory).update(inner)
    if ORIENTATION in exif:
        exif[ORIENTATION] = 1
    if not len(exif) and not any(exif.get_ifd(d) for d in (_EXIF_IFD, _GPS_IFD)):
        return None
    return _tiff_structure(exif)


def _tiff_structure(exif: Image.Exif) -> bytes:
    for tag, value in exif.items():
        # Pillow reads texts as Latin-1, byte for byte, but writes only ASCII.
        if isinstance(value, str) and not value.isascii() and TiffTags.lookup(tag).type == TiffTags.ASCII:
            exif[tag] = value.encode("latin-1", "replace")
    return exif.tobytes().removeprefix(b"Exif\x00\x00")


def resized(metadata: Metadata, width: int, height: int) -> Metadata:
    """The metadata of a picture of another size: its width and height are brought up to date where stated."""
    exif = None
    if metadata.exif is not None:
        parsed = Image.Exif()
        parsed.load(b"Exif\x00\x00" + metadata.exif)
        inner = parsed.get_ifd(_EXIF_IFD)
        for directory, tags in ((parsed, (_WIDTH, _HEIGHT)), (inner, (_PIXEL_X, _PIXEL_Y))):
            for tag, value in zip(tags, (width, height), strict=True):
                if tag in directory:
                    directory[tag] = value
        exif = _tiff_structure(parsed)
    xmp = metadata.xmp
    if xmp is not None:
        for key, value in (("Width", width), ("Length", height)):
            xmp = _replaced(xmp, f"tiff:Image{key}", value)
        for key, value in (("X", width), ("Y", height)):
            xmp = _replaced(xmp, f"exif:Pixel{key}Dimension", value)
    return Metadata(metadata.icc, exif, xmp, metadata.dpi)


def _upright_xmp(xmp: bytes) -> bytes:
    return _replaced(xmp, "tiff:Orientation", 1)


def _replaced(xmp: bytes, name: str, value: int) -> bytes:
    """An XMP packet with a number replaced, written as an attribute or as an element."""
    key, number = re.escape(name.encode()), str(value).encode()
    xmp = re.sub(rb"(" + key + rb"\s*=\s*[\"'])\d+", rb"\g<1>" + number, xmp)
    return re.sub(rb"(<" + key + rb">\s*)\d+", rb"\g<1>" + number, xmp)


def tiff_directory(exif: bytes, tag: int, offset: int, prefix: bytes = b"II") -> bytes | None:
    """One sub-directory of an EXIF structure, laid out to lie at `offset` of a TIFF file; None if empty."""
    parsed = Image.Exif()
    parsed.load(b"Exif\x00\x00" + exif)
    inner = parsed.get_ifd(tag)
    if not inner:
        return None
    directory = TiffImagePlugin.ImageFileDirectory_v2(
        prefix + (b"\x2a\x00\x08\x00\x00\x00" if prefix == b"II" else b"\x00\x2a\x00\x00\x00\x08"), group=tag
    )
    for key, value in inner.items():
        directory[key] = value
    return directory.tobytes(offset)


def tiff_texts(exif: bytes) -> dict[int, bytes]:
    """The describing texts of an EXIF structure's first directory, in the bytes that they are in there."""
    parsed = Image.Exif()
    parsed.load(b"Exif\x00\x00" + exif)
    texts = {tag: value for tag, value in parsed.items() if tag in _DESCRIPTIVE and isinstance(value, str)}
    return {tag: text.encode("latin-1", "replace") for tag, text in texts.items()}
