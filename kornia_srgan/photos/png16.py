"""16-bit PNG: kornia_rs encodes the pixels, the chunks that describe them are put in beside."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kornia_srgan.environment import require_extra
from kornia_srgan.errors import ImageError
from kornia_srgan.photos.captions.place import png_captions
from kornia_srgan.photos.photo import Metadata, Pixels, Raster

_HEADER = 33  # the signature and IHDR


def write_deep_png(path: Path, picture: Raster, metadata: Metadata) -> None:
    """Write a 16-bit grey, RGB or RGBA picture."""
    pixels = np.empty((picture.height, picture.width, picture.channels), np.uint16)
    row = 0
    for band in picture.bands:
        pixels[row : row + len(band)] = band
        row += len(band)
    bare = path.with_name(f"{path.stem}-bare.png")
    try:
        _encode(bare, pixels)
        with bare.open("rb") as source, path.open("wb") as target:
            target.write(source.read(_HEADER))
            for chunk in _chunks(metadata):
                target.write(chunk)
            shutil.copyfileobj(source, target, 1 << 20)
    finally:
        bare.unlink(missing_ok=True)


def _encode(path: Path, pixels: Pixels) -> None:
    channels = pixels.shape[-1]
    if channels == 2:
        purpose = "16-bit grey with alpha as PNG"
        require_extra("codecs", "imagecodecs", purpose=purpose, error=ImageError, otherwise="write TIFF")
        from imagecodecs import png_encode

        path.write_bytes(png_encode(pixels))
        return
    from kornia_rs.io import write_image_png_u16

    write_image_png_u16(str(path), pixels, {1: "mono", 3: "rgb", 4: "rgba"}[channels])


def _chunks(metadata: Metadata) -> Iterator[bytes]:
    if metadata.icc is not None:
        yield _chunk(b"iCCP", b"ICC Profile\x00\x00" + zlib.compress(metadata.icc))
    if metadata.dpi is not None:
        across, down = (round(v / 0.0254) for v in metadata.dpi)
        yield _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))
    if metadata.exif is not None:
        yield _chunk(b"eXIf", metadata.exif)
    for kind, data in png_captions(metadata):
        yield _chunk(kind, data)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
