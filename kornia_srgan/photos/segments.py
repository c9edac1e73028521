"""The parts of picture files beside the pixels: segments of a JPEG, chunks of a PNG and a WebP."""

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


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of all chunks of a PNG but the pixels'."""
    place = 8
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name not in (b"IDAT", b"fdAT"):
            yield name, data[place + 8 : place + 8 + length]
        place += 12 + length


def riff_chunks(data: bytes) -> Iterator[bytes]:
    """Names of the chunks of a WebP."""
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        yield name
        place += 8 + length + length % 2
