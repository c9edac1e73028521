"""What lies beside the pixels: segments of a JPEG, chunks of a WebP, texts of a PNG."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from PIL import PngImagePlugin

SOI, EOI, SOS, COM, APP0 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0
_LONGEST = 65_533
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def app_marker(number: int) -> int:
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


def without_long_texts(data: bytes) -> bytes:
    """A PNG without the texts and the profile that Pillow refuses a picture for, because they are long."""
    parts, kept, place = [], 0, 8
    memory = 0
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        stop = place + 12 + length
        if name in _PNG_TEXTS:
            size = _text_size(name, data[place + 8 : place + 8 + length])
            if size > PngImagePlugin.MAX_TEXT_CHUNK or memory + size > PngImagePlugin.MAX_TEXT_MEMORY:
                parts.append(data[kept:place])
                kept = stop
            else:
                memory += size
        place = stop
    return b"".join([*parts, data[kept:]]) if parts else data


def _text_size(name: bytes, content: bytes) -> int:
    """Bytes that a chunk takes unpacked; one more than is allowed where it is more."""
    most = PngImagePlugin.MAX_TEXT_CHUNK
    head = content.partition(b"\0")[2]
    if name == b"tEXt" or (name == b"iTXt" and head[:1] != b"\1"):
        return min(len(content), most)  # of these only the sum counts
    packed = head[2:].split(b"\0", 2)[-1] if name == b"iTXt" else head[1:]
    try:
        return len(zlib.decompressobj().decompress(packed, most + 1))
    except zlib.error:
        return 0


def riff_chunks(data: bytes) -> Iterator[bytes]:
    """Names of the chunks of a WebP."""
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        yield name
        place += 8 + length + length % 2
