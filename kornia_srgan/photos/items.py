"""Which picture of an AVIF or HEIF is the one that is shown, what is said of it, and its compressed bytes.

ISO/IEC 14496-12 (boxes `pitm`, `iloc`, `iref`, `iinf`) and 23008-12 (`ipco`, `ipma`). Such a file holds
several: tiles, opacity, a thumbnail, a gain map, each with properties of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kornia_srgan.photos.chunks import find_boxes, iso_boxes

_DERIVED = (b"grid", b"iovl", b"iden", b"tmap")
_TRACK = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_ENTRY, _SAMPLE = 8, 78  # of a list of sample descriptions, and of what stands in one before its boxes


def picture_properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the properties of the picture that is shown, then of the tiles it is made of.

    A file that does not say which one is shown gives all properties; a film gives those of its first track.
    """
    meta = next(find_boxes(data, (b"meta",)), None)
    if meta is None:
        yield from _track_properties(data)
        return
    stated = list(_properties(meta))
    chosen = dict(_associations(meta))
    try:
        wanted = _with_tiles(meta, _primary(meta))
    except struct.error:
        wanted = []
    if not any(item in chosen for item in wanted):
        yield from stated
        return
    for item in wanted:
        yield from (stated[i - 1] for i in chosen.get(item, ()) if 0 < i <= len(stated))


def picture_bytes(data: bytes) -> bytes:
    """The first compressed bytes of the picture that is shown; empty where they are not to be found."""
    meta = next(find_boxes(data, (b"meta",)), b"")
    try:
        wanted = _with_tiles(meta, _primary(meta))
        places = dict(_places(meta, wanted))
    except struct.error:
        return b""
    place = next((places[item] for item in wanted[::-1] if item in places), None)
    return data[place[0] : place[0] + place[1]] if place is not None else b""


def picture_coding(data: bytes) -> bytes:
    """How the picture that is shown, or its first tile, is compressed: `hvc1`, `av01`, `jpeg` and so on.

    A film gives `moov`, and a file that does not say it nothing.
    """
    meta = next(find_boxes(data, (b"meta",)), None)
    if meta is None:
        return b"moov" if next(find_boxes(data, (b"moov",)), None) is not None else b""
    try:
        wanted = _with_tiles(meta, _primary(meta))
        codings = dict(_codings(meta))
    except struct.error:
        return b""
    found = [codings.get(item, b"") for item in wanted]
    return next((coding for coding in found if coding not in _DERIVED), b"")


def _codings(meta: bytes) -> Iterator[tuple[int, bytes]]:
    box = _inside(meta, b"iinf")
    for name, start, stop in iso_boxes(box, 6 if box[:1] == b"\0" else 8):
        if name == b"infe" and box[start] in (2, 3):
            reader = _Reader(box[start:stop], 4)
            item = reader.take(2 if box[start] == 2 else 4)
            reader.take(2)  # how it is protected
            yield item, reader.take(4).to_bytes(4, "big")


def _inside(meta: bytes, *path: bytes) -> bytes:
    return next(find_boxes(meta[4:], path), b"")


def _properties(meta: bytes) -> Iterator[tuple[bytes, bytes]]:
    container = _inside(meta, b"iprp", b"ipco")
    return ((name, container[start:stop]) for name, start, stop in iso_boxes(container))


def _primary(meta: bytes) -> int:
    box = _inside(meta, b"pitm")
    return struct.unpack_from(">H" if box[:1] == b"\0" else ">I", box, 4)[0]


def _with_tiles(meta: bytes, item: int) -> list[int]:
    """An item and those it is derived from (`dimg`)."""
    box = _inside(meta, b"iref")
    kind = ">H" if box[:1] == b"\0" else ">I"
    size = struct.calcsize(kind)
    found = [item]
    for name, start, stop in iso_boxes(box, 4):
        if name == b"dimg" and struct.unpack_from(kind, box, start)[0] == item:
            found += (struct.unpack_from(kind, box, p)[0] for p in range(start + size + 2, stop, size))
    return found


def _associations(meta: bytes) -> Iterator[tuple[int, list[int]]]:
    """Items, with the numbers of their properties, from 1."""
    for box in find_boxes(meta[4:], (b"iprp", b"ipma")):
        reader = _Reader(box, 8)
        item_size, wide = (2 if box[0] == 0 else 4), box[3] & 1
        try:
            for _ in range(struct.unpack_from(">I", box, 4)[0]):
                item, count = reader.take(item_size), reader.take(1)
                yield item, [reader.take(2) & 0x7FFF if wide else reader.take(1) & 0x7F for _ in range(count)]
        except struct.error:
            return


def _places(meta: bytes, wanted: list[int]) -> Iterator[tuple[int, tuple[int, int]]]:
    """Items that lie in the file itself, with where their first bytes begin, and how many."""
    box = _inside(meta, b"iloc")
    reader = _Reader(box, 0)
    version, sizes = reader.take(4) >> 24, reader.take(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    for _ in range(reader.take(4 if version == 2 else 2)):
        item = reader.take(4 if version == 2 else 2)
        method = reader.take(2) & 15 if version else 0
        reader.take(2)  # another file
        base, extents = reader.take(base_size), []
        for _ in range(reader.take(2)):
            reader.take(index_size)
            extents.append((base + reader.take(offset_size), reader.take(length_size)))
        if item in wanted and method == 0 and extents:
            yield item, extents[0]


def _track_properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for description in find_boxes(data, _TRACK):
        for _, start, stop in iso_boxes(description, _ENTRY):
            yield from ((n, description[s:e]) for n, s, e in iso_boxes(description, start + _SAMPLE, stop))
        return


class _Reader:
    """Whole numbers of so many bytes, one after another."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place

    def take(self, size: int) -> int:
        if self._place + size > len(self._data):
            raise struct.error("the box ends too soon")
        value = int.from_bytes(self._data[self._place : self._place + size], "big")
        self._place += size
        return value
