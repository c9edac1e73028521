"""TIFF by strips: rows are compressed and written as they are made, so that no whole picture is in memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kornia_srgan.photos.metadata import tiff_directory, tiff_texts
from kornia_srgan.photos.photo import Metadata, Pixels, Raster, rechunked

_PHOTOMETRIC = {"L": "minisblack", "RGB": "rgb", "CMYK": "separated"}
_STRIP_BYTES = 4 * 2**20
_CLASSIC_LIMIT = 3_900_000_000
# EXIF and GPS, each with an unused code beside it: tifffile does not write the tags themselves, so the places
# are kept by these, in the right order, and filled afterwards.
_SUB_DIRECTORIES = {0x8769: 0x8768, 0x8825: 0x8826}


def write_tiff(path: Path, pictures: Iterable[Raster], metadata: Metadata) -> None:
    """Write pages, deflated without loss; metadata goes to the first."""
    import tifffile

    pages = iter(pictures)
    first = next(pages)
    big = first.height * first.width * first.channels * first.dtype.itemsize > _CLASSIC_LIMIT
    with tifffile.TiffWriter(path, bigtiff=big, byteorder="<") as file:
        _write_page(file, first, metadata)
        for page in pages:
            _write_page(file, page, Metadata(icc=metadata.icc, dpi=metadata.dpi))
    if metadata.exif is not None:
        _add_directories(path, metadata.exif)


def _write_page(file: Any, page: Raster, metadata: Metadata) -> None:
    row_bytes = page.width * page.channels * page.dtype.itemsize
    rows = max(1, min(page.height, _STRIP_BYTES // row_bytes))
    shape: tuple[int, ...] = (page.height, page.width, page.channels)
    differenced = page.dtype.kind == "u"
    strips = (_deflated(strip, differenced) for strip in rechunked(page.bands, rows))
    if page.channels == 1:
        shape = shape[:2]
    dpi = metadata.dpi
    texts = tiff_texts(metadata.exif) if metadata.exif is not None else {}
    if texts.get(0x010E, b"").startswith(b'{"shape"'):  # tifffile's own note on the array that it wrote
        del texts[0x010E]
    description, software, date = (texts.pop(tag, None) for tag in (0x010E, 0x0131, 0x0132))
    extra: list[tuple[Any, ...]] = [(tag, "s", 0, text, True) for tag, text in texts.items()]
    if metadata.exif is not None:
        exif = metadata.exif
        extra += [(place, "I", 1, 0, True) for tag, place in _SUB_DIRECTORIES.items() if _has(exif, tag)]
    if metadata.xmp is not None:
        extra.append((700, "B", len(metadata.xmp), metadata.xmp, True))
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
        datetime=date.decode("ascii", "replace") if date is not None else None,
        metadata=None,
        extratags=extra,
    )


def _deflated(strip: Pixels, differenced: bool) -> bytes:
    """A strip as TIFF stores it: zlib over the differences of pixels (predictor 2), or over the values."""
    if differenced:
        strip = np.concatenate([strip[:, :1], np.diff(strip, axis=1)], axis=1)
    return zlib.compress(np.ascontiguousarray(strip, strip.dtype.newbyteorder("<")).data, 6)


def _has(exif: bytes, tag: int) -> bool:
    return tiff_directory(exif, tag, 0) is not None


def _add_directories(path: Path, exif: bytes) -> None:
    """Append the EXIF and GPS directories and point the first page at them."""
    import tifffile

    with tifffile.TiffFile(path, mode="r+") as file:
        if file.is_bigtiff:  # the directories would need 64-bit offsets
            return
        tags = file.pages[0].tags  # type: ignore[union-attr]
        prefix = b"II" if file.byteorder == "<" else b"MM"
        for tag, place in _SUB_DIRECTORIES.items():
            if place not in tags:
                continue
            file.filehandle.seek(0, 2)
            offset = file.filehandle.tell()
            offset += offset % 2
            blob = tiff_directory(exif, tag, offset, prefix)
            if blob is None:
                continue
            file.filehandle.seek(offset)
            file.filehandle.write(blob)
            tags[place].overwrite(offset)
            file.filehandle.seek(tags[place].offset)
            file.filehandle.write(struct.pack(f"{file.byteorder}H", tag))
