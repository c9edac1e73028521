"""TIFF by strips: rows are compressed and written as they are made, so that no whole picture is in memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kornia_srgan.photos.ifd import ASCII, EXIF, FIRST, GPS, Structure, in_order, write_directory
from kornia_srgan.photos.metadata import described_by, exif_structure
from kornia_srgan.photos.photo import Metadata, Pixels, Raster, rechunk_bands
from kornia_srgan.photos.photoshop import split_iptc

_PHOTOMETRIC = {"L": "minisblack", "RGB": "rgb", "CMYK": "separated"}
_STRIP_BYTES = 4 * 2**20
_CLASSIC_LIMIT = 3_900_000_000
# EXIF and GPS, each with an unused code beside it: tifffile does not write the tags themselves, so the places
# are kept by these, in the right order, and filled afterwards.
_SUB_DIRECTORIES = {EXIF: 0x8768, GPS: 0x8826}
_DESCRIPTION, _SOFTWARE = 0x010E, 0x0131


def write_tiff(path: Path, pictures: Iterable[Raster], metadata: Metadata) -> tuple[str, ...]:
    """Write pages, deflated without loss; metadata goes to the first.

    Returns:
        What could not be kept, one sentence each.
    """
    import tifffile

    pages = iter(pictures)
    first = next(pages)
    big = first.height * first.width * first.channels * first.dtype.itemsize > _CLASSIC_LIMIT
    structure = in_order(exif_structure(metadata.exif), "<")
    below = [tag for tag in _SUB_DIRECTORIES if structure.directories.get(tag)]
    if big and below:  # the directories would need 64-bit offsets
        structure = replace(structure, directories={FIRST: structure.directories[FIRST]})
    with tifffile.TiffWriter(path, bigtiff=big, byteorder="<") as file:
        _write_page(file, first, metadata, structure)
        for page in pages:
            _write_page(file, page, Metadata(icc=metadata.icc, dpi=metadata.dpi), exif_structure(None))
    if big and below:
        return ("a TIFF of this size (BigTIFF) cannot store EXIF's exposure data and GPS: left out",)
    _add_directories(path, structure)
    return ()


def _write_page(file: Any, page: Raster, metadata: Metadata, structure: Structure) -> None:
    row_bytes = page.width * page.channels * page.dtype.itemsize
    rows = max(1, min(page.height, _STRIP_BYTES // row_bytes))
    shape: tuple[int, ...] = (page.height, page.width, page.channels)
    differenced = page.dtype.kind == "u"
    strips = (_deflated(strip, differenced) for strip in rechunk_bands(page.bands, rows))
    if page.channels == 1:
        shape = shape[:2]
    dpi = metadata.dpi
    described = dict(described_by(structure))
    texts = {
        tag: described.pop(tag).data.rstrip(b"\0")
        for tag in (_DESCRIPTION, _SOFTWARE)
        if tag in described and described[tag].kind == ASCII
    }
    if texts.get(_DESCRIPTION, b"").startswith(b'{"shape"'):  # tifffile's own note on the array that it wrote
        del texts[_DESCRIPTION]
    description, software = texts.get(_DESCRIPTION), texts.get(_SOFTWARE)
    extra: list[tuple[Any, ...]] = [
        (tag, "s", 0, entry.data.rstrip(b"\0"), True)
        if entry.kind == ASCII
        else (tag, entry.kind, entry.count, entry.data, True)
        for tag, entry in described.items()
    ]
    below = structure.directories
    extra += [(place, "I", 1, 0, True) for tag, place in _SUB_DIRECTORIES.items() if below.get(tag)]
    if metadata.xmp is not None:
        extra.append((700, "B", len(metadata.xmp), metadata.xmp, True))
    if metadata.photoshop is not None:
        iptc, others = split_iptc(metadata.photoshop)
        extra += [(33723, 7, len(iptc), iptc, True)] if iptc else []
        extra += [(34377, "B", len(others), others, True)] if others else []
    file.write(
        strips,
        shape=shape,
        dtype=page.dtype,
        rowsperstrip=rows,
        photometric=_PHOTOMETRIC[page.space],
        planarconfig=None if page.channels == 1 else "contig",
        extrasamples=["unassalpha"] if page.alpha else None,
        compression="zlib",
        predictor=differenced,
        iccprofile=metadata.icc,
        resolution=dpi,
        resolutionunit="inch" if dpi is not None else None,
        description=description,
        software=software or False,
        metadata=None,
        extratags=extra,
    )


def _deflated(strip: Pixels, differenced: bool) -> bytes:
    """A strip as TIFF stores it: zlib over the differences of pixels (predictor 2), or over the values."""
    if differenced:
        strip = np.concatenate([strip[:, :1], np.diff(strip, axis=1)], axis=1)
    return zlib.compress(np.ascontiguousarray(strip, strip.dtype.newbyteorder("<")).data, 6)


def _add_directories(path: Path, structure: Structure) -> None:
    """Append the EXIF and GPS directories and point the first page at them."""
    import tifffile

    if not any(structure.directories.get(tag) for tag in _SUB_DIRECTORIES):
        return
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages.first.tags
        for tag, place in _SUB_DIRECTORIES.items():
            if place not in tags:
                continue
            file.filehandle.seek(0, 2)
            offset = file.filehandle.tell()
            offset += offset % 2
            blob = write_directory(structure, tag, offset)
            if blob is None:
                continue
            file.filehandle.seek(offset)
            file.filehandle.write(blob)
            tags[place].overwrite(offset)
            file.filehandle.seek(tags[place].offset)
            file.filehandle.write(struct.pack("<H", tag))
