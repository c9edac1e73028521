"""The parts that picture files are made of, without their pixels: PNG chunks, ISO boxes, a JPEG's frame."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence


def png_chunks(data: bytes, *, whole: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of a PNG's chunks up to its pixels; of the `whole` file, all but the pixels'."""
    place = 8
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        pixels = name in (b"IDAT", b"fdAT")
        if pixels and not whole:
            return
        if not pixels:
            yield name, data[place + 8 : place + 8 + length]
        place += 12 + length


def iso_boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Names of an ISO file's boxes, with where their contents begin and end."""
    end = len(data) if end is None else min(end, len(data))
    while start + 8 <= end:
        length, name = struct.unpack_from(">I4s", data, start)
        header = 8
        if length == 1 and start + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        stop = end if length == 0 else start + length
        if stop < start + header:
            return
        yield name, start + header, min(stop, end)
        start = stop


def find_boxes(data: bytes, path: Sequence[bytes]) -> Iterator[bytes]:
    """The contents of all boxes at a path such as `(b"meta", b"iprp", b"ipco", b"colr")`."""
    yield from _inside(data, 0, len(data), list(path))


def _inside(data: bytes, start: int, end: int, path: list[bytes]) -> Iterator[bytes]:
    for name, first, stop in iso_boxes(data, start, end):
        if name != path[0]:
            continue
        if len(path) == 1:
            yield data[first:stop]
        else:
            skip = 4 if name == b"meta" else 0  # a full box: version and flags first
            yield from _inside(data, first + skip, stop, path[1:])


def jpeg_frame(data: bytes) -> int:
    """Where a JPEG's frame header (SOF) is, 0 if there is none."""
    place = 2
    while place + 9 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return place
        place += 1 if marker == 0xFF else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return 0
