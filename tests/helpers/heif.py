"""HEIF files put together by hand, and what pillow-heif makes."""

import io
import struct
from typing import Any

import numpy as np
import pytest

from kornia_srgan.photos.items import picture_bytes, picture_properties


def heic(pixels: np.ndarray, **options: Any) -> bytes:
    """A HEIC of RGB pixels without loss of colour, made by libheif and x265."""
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    file = io.BytesIO()
    image = heif.from_bytes("RGB", pixels.shape[1::-1], pixels.tobytes())
    image.save(file, quality=-1, chroma=444, **options)
    return file.getvalue()


def without_colr(data: bytes) -> bytes:
    """The same file, with its boxes `colr` named as free space."""
    bare = data.replace(b"colrnclx", b"freenclx")
    assert bare != data
    return bare


def configuration_of(data: bytes) -> bytes:
    """The content of the first box `hvcC`."""
    return next(content for name, content in picture_properties(data) if name == b"hvcC")


def grid(tiles: list[bytes], width: int, height: int) -> bytes:
    """A HEIC that is a row of tiles, each the picture of a HEIC; it has no box `colr`."""
    streams = [picture_bytes(tile) for tile in tiles]
    count = len(tiles)
    shape = struct.pack(">BBBBHH", 0, 0, 0, count - 1, count * width, height)
    contents = [*streams, shape]
    properties = [_box(b"hvcC", configuration_of(tile)) for tile in tiles]
    properties += [_box(b"ispe", struct.pack(">III", 0, w, height)) for w in (width, count * width)]
    items = b"".join(
        _full(b"infe", struct.pack(">HH4sB", i + 1, 0, b"grid" if i == count else b"hvc1", 0), version=2)
        for i in range(count + 1)
    )
    links = struct.pack(f">{count + 2}H", count + 1, count, *range(1, count + 1))
    belong = b"".join(struct.pack(">HBBB", i + 1, 2, 0x80 | i + 1, count + 1) for i in range(count))
    belong += struct.pack(">HBB", count + 1, 1, count + 2)

    def meta(start: int) -> bytes:
        places = b""
        for number, content in enumerate(contents, 1):
            places += struct.pack(">HHHII", number, 0, 1, start, len(content))
            start += len(content)
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4) + b"pict" + bytes(13))
            + _full(b"pitm", struct.pack(">H", count + 1))
            + _full(b"iloc", b"\x44\x00" + struct.pack(">H", len(contents)) + places)
            + _full(b"iinf", struct.pack(">H", count + 1) + items)
            + _full(b"iref", _box(b"dimg", links))
            + _box(
                b"iprp",
                _box(b"ipco", b"".join(properties)) + _full(b"ipma", struct.pack(">I", count + 1) + belong),
            ),
        )

    kind = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")
    start = len(kind) + len(meta(0)) + 8
    return kind + meta(start) + _box(b"mdat", b"".join(contents))


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def _full(name: bytes, content: bytes, version: int = 0) -> bytes:
    return _box(name, bytes([version, 0, 0, 0]) + content)
