"""What lies beside the pixels: segments of a JPEG, chunks of a WebP, texts of a PNG."""

from __future__ import annotations

import struct
from collections.abc import Iterator

SOI, EOI, SOS, COM, APP0 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0
_LONGEST = 65_533


def app(number: int) -> int:
    """The marker of an application's segment."""
    return APP0 + number


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Markers, contents and where these begin, up to the pixels of a JPEG."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill
            place += 1
            continue
        if marker in (SOS, EOI):
            return
        if 0xD0 <= marker <= 0xD7 or marker in (0x01, SOI):
            place += 2
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        yield marker, data[place + 4 : place + 2 + length], place + 4
        place += 2 + max(2, length)


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """A segment as it stands in a JPEG; what does not fit into one is cut off."""
    content = content[:_LONGEST]
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def without_compressed_texts(data: bytes) -> bytes:
    """A PNG without its compressed texts, for decoders that refuse a picture because of a long one."""
    parts, kept, place = [], 0, 8
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        stop = place + 12 + length
        if name == b"zTXt" or (name == b"iTXt" and b"\0\1\0" in data[place + 8 : place + 8 + 83]):
            parts.append(data[kept:place])
            kept = stop
        place = stop
    return b"".join([*parts, data[kept:]]) if parts else data


def riff_chunks(data: bytes) -> Iterator[bytes]:
    """Names of the chunks of a WebP."""
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        yield name
        place += 8 + length + length % 2
