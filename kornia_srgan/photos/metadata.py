"""What a file says about its picture: read, orientation reset, sizes brought up to date."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from kornia_srgan.photos import photoshop
from kornia_srgan.photos.captions.found import CREDENTIALS, Captions
from kornia_srgan.photos.captions.read import read_captions
from kornia_srgan.photos.ifd import EXIF, FIRST, Structure, TagEntry, read_structure, write_structure
from kornia_srgan.photos.photo import Metadata
from kornia_srgan.photos.xmp import find_number, replace_number, without_announcements

ORIENTATION = 0x0112
_WIDTH, _HEIGHT, _PIXEL_X, _PIXEL_Y = 0x0100, 0x0101, 0xA002, 0xA003
_XMP, _ICC, _IPTC, _PHOTOSHOP = 0x02BC, 0x8773, 0x83BB, 0x8649
_CREDENTIALS = 0xCD41

# Of a TIFF's own directory only what describes the photograph; the rest says how its strips lie in the file.
DESCRIPTIVE = {
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
}
# Of EXIF's first directory what says where a thumbnail lies, and what has a place of its own.
_LAYOUT = {0x0111, 0x0117, 0x0144, 0x0145, 0x014A, 0x0201, 0x0202, _XMP, _ICC, _IPTC, _PHOTOSHOP}

Found = tuple[Metadata, int, tuple[str, ...]]
"""The metadata with orientation reset, the orientation (1 to 8) that the pixels still need, and notes on what
is left out."""


def read_metadata(info: Mapping[Any, Any], data: bytes) -> Found:
    """What a file says about its picture, and its decoder in `info`, after the pixels were loaded."""
    captions = read_captions(data, info)
    exif = captions.exif or info.get("exif")
    xmp = captions.xmp or info.get("xmp") or info.get("XML:com.adobe.xmp")
    captions.xmp = xmp.encode("utf-8") if isinstance(xmp, str) else xmp
    structure = _structure(exif, captions) if isinstance(exif, bytes) and exif else None
    icc = captions.icc if captions.icc is not None else info.get("icc_profile")
    metadata, orientation = _gathered(structure, captions, icc)
    return replace(metadata, dpi=_as_dpi(info.get("dpi"))), orientation, tuple(captions.notes)


def read_tiff_metadata(data: bytes) -> Found:
    """`read_metadata` for a TIFF, from the file: Pillow's open one forgets with the pixels."""
    captions = Captions()
    structure = _structure(data, captions)
    if structure is None:
        return Metadata(), 1, tuple(captions.notes)
    first = structure.directories[FIRST]
    icc = first[_ICC].data if _ICC in first else None
    if _CREDENTIALS in first:
        captions.notes.append(CREDENTIALS)
    described = {tag: None for tag in first if tag not in DESCRIPTIVE and tag not in _LAYOUT}
    metadata, orientation = _gathered(structure.with_entries(FIRST, described), captions, icc)
    across, down = structure.fractions(282), structure.fractions(283)
    dpi = _as_dpi((*across[:1], *down[:1])) if (structure.number(296) or 2) == 2 else None
    return replace(metadata, dpi=dpi), orientation, tuple(captions.notes)


def _structure(exif: bytes, captions: Captions) -> Structure | None:
    """The directories that can be read; what is damaged is noted."""
    try:
        structure = read_structure(exif)
    except (ValueError, struct.error):
        captions.notes.append("its EXIF is damaged and left out")
        return None
    if structure.damaged:
        several = len(structure.damaged) > 1
        names = ", ".join(structure.damaged[:10]) + (", …" if len(structure.damaged) > 10 else "")
        captions.notes.append(f"of its EXIF {names} {'are' if several else 'is'} damaged and left out")
    return structure


def _gathered(structure: Structure | None, captions: Captions, icc: Any) -> tuple[Metadata, int]:
    orientation, exif = 1, None
    if structure is not None:
        first = structure.directories[FIRST]
        if captions.xmp is None and _XMP in first:
            captions.xmp = first[_XMP].data
        if not captions.resources and _PHOTOSHOP in first:
            captions.resources += photoshop.read_resources(first[_PHOTOSHOP].data)
        if _IPTC in first and not any(number == photoshop.IPTC for number, _, _ in captions.resources):
            records = _in_network_order(first[_IPTC], structure.order)
            captions.resources.append((photoshop.IPTC, b"", records))
        exif = _upright(structure)
    stated = structure.number(ORIENTATION) if structure else None
    if stated is None and captions.xmp is not None:
        stated = find_number(captions.xmp, "tiff:Orientation")
    if stated is not None and 1 <= stated <= 8:
        orientation = stated
    block, notes = photoshop.captions_of(captions.resources, turned=orientation != 1)
    captions.notes += notes
    xmp = captions.xmp
    if xmp is not None:
        xmp = without_announcements(replace_number(xmp, "tiff:Orientation", 1))
    icc = icc if isinstance(icc, bytes) and len(icc) >= 128 else None
    return Metadata(icc, exif, xmp, None, block, tuple(captions.texts)), orientation


def _in_network_order(entry: TagEntry, order: str) -> bytes:
    """IPTC that was stored as 32-bit numbers, as some programs do, with its bytes in the order they have."""
    if entry.kind != 4 or order == ">" or entry.data.startswith(b"\x1c"):
        return entry.data
    return b"".join(entry.data[i : i + 4][::-1] for i in range(0, len(entry.data), 4))


def _upright(structure: Structure) -> bytes | None:
    first = structure.directories[FIRST]
    structure = structure.with_entries(FIRST, {tag: None for tag in _LAYOUT if tag in first})
    if ORIENTATION in first:
        structure = structure.with_entries(FIRST, {ORIENTATION: structure.whole(1)})
    return write_structure(structure) if any(structure.directories.values()) else None


def _as_dpi(value: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(v) for v in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None


def resize_metadata(metadata: Metadata, width: int, height: int) -> Metadata:
    """The metadata of a picture of another size: its width and height are brought up to date where stated."""
    exif = None
    if metadata.exif is not None:
        structure = read_structure(metadata.exif)
        for directory, tags in ((FIRST, (_WIDTH, _HEIGHT)), (EXIF, (_PIXEL_X, _PIXEL_Y))):
            for tag, value in zip(tags, (width, height), strict=True):
                if tag in structure.directories.get(directory, {}):
                    structure = structure.with_entries(directory, {tag: structure.whole(value)})
        exif = write_structure(structure)
    xmp = metadata.xmp
    if xmp is not None:
        for key, value in (("Width", width), ("Length", height)):
            xmp = replace_number(xmp, f"tiff:Image{key}", value)
        for key, value in (("X", width), ("Y", height)):
            xmp = replace_number(xmp, f"exif:Pixel{key}Dimension", value)
    return replace(metadata, exif=exif, xmp=xmp)


def exif_structure(exif: bytes | None) -> Structure:
    """The directories of an EXIF block of ours; empty ones where there is none."""
    return read_structure(exif) if exif is not None else Structure("<", {FIRST: {}})


def described_by(structure: Structure) -> Iterable[tuple[int, TagEntry]]:
    """The entries of a first directory that describe the photograph."""
    return ((t, e) for t, e in structure.directories[FIRST].items() if t in DESCRIPTIVE and t != ORIENTATION)
