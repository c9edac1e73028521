"""Which TIFF files are maps or images of several bands, and are read by GDAL."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from kornia_srgan.environment import is_installed
from kornia_srgan.photos.header import DNG_VERSION, open_tiff
from kornia_srgan.photos.signature import TIFF_MAGIC

_PALETTE = 3


def is_map(source: Path | bytes) -> bool:
    """Whether a TIFF has a place on earth or bands of unknown kind, and rasterio is installed.

    Palettes are not: their numbers are names. Files of several pages are not: GDAL reads one.
    """
    if not is_installed("rasterio"):
        return False
    try:
        if isinstance(source, bytes):
            return source.startswith(TIFF_MAGIC) and _is_map(io.BytesIO(source))
        with source.open("rb") as file:
            begins = file.read(4).startswith(TIFF_MAGIC)
            file.seek(0)
            return begins and _is_map(file)
    except Exception:  # a damaged file raises anything; reading it says what is wrong
        return False


def _is_map(file: BinaryIO) -> bool:
    from tifffile import TiffPage

    from kornia_srgan.photos.tiff_read import GEO_TAGS, has_unknown_bands

    tiff = open_tiff(file)
    pages = [page for page in tiff.pages if isinstance(page, TiffPage)]
    first = pages[0]
    if DNG_VERSION in first.tags or int(first.photometric) == _PALETTE:
        return False
    if not has_unknown_bands(first) and not any(code in first.tags for code in GEO_TAGS):
        return False
    return sum(1 for page in pages if not page.is_reduced and not page.is_mask) == 1
