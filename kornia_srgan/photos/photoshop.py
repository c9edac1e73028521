"""Photoshop's resource blocks, in which JPEG and TIFF keep IPTC captions."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

MARK = b"Photoshop 3.0\x00"
IPTC, _COPYRIGHT_FLAG, _URL, _DIGEST = 0x0404, 0x040A, 0x040B, 0x0425
_PATHS = range(0x07D0, 0x0BB7)  # in shares of the picture's sides
_KEPT = {IPTC, _COPYRIGHT_FLAG, _URL, _DIGEST}

Resource = tuple[int, bytes, bytes]
"""Its number, its name, and its data."""


def read_resources(block: bytes) -> Iterator[Resource]:
    """The resources of a block, as far as it is whole."""
    place = 0
    while block[place : place + 4] in (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR") and place + 8 <= len(
        block
    ):
        (number,) = struct.unpack_from(">H", block, place + 4)
        length = block[place + 6]
        name = block[place + 7 : place + 7 + length]
        place += 6 + (length + 2) // 2 * 2
        if place + 4 > len(block):
            return
        (size,) = struct.unpack_from(">I", block, place)
        data = block[place + 4 : place + 4 + size]
        if len(data) < size:
            return
        yield number, name, data
        place += 4 + size + size % 2


def write_resources(resources: Iterable[Resource]) -> bytes:
    """A block of resources."""
    parts = []
    for number, name, data in resources:
        stated = bytes([len(name)]) + name
        parts += [b"8BIM", struct.pack(">H", number), stated, bytes(len(stated) % 2)]
        parts += [struct.pack(">I", len(data)), data, bytes(len(data) % 2)]
    return b"".join(parts)


def captions_of(resources: Iterable[Resource], *, turned: bool) -> tuple[bytes | None, tuple[str, ...]]:
    """The block of what describes the photograph, and notes on what else was there and is left out.

    Args:
        resources: Of a file.
        turned: The pixels were turned, so that paths no longer fit.
    """
    kept: dict[int, Resource] = {}
    notes: tuple[str, ...] = ()
    for resource in resources:
        if resource[0] in _KEPT or (resource[0] in _PATHS and not turned):
            kept.setdefault(resource[0], resource)
        elif resource[0] in _PATHS:
            notes = ("its clipping paths are left out, because the picture was turned",)
    return (write_resources(kept.values()) if kept else None), notes


def split_iptc(block: bytes) -> tuple[bytes, bytes]:
    """The IPTC records of a block, and a block with its other resources; each may be empty."""
    resources = list(read_resources(block))
    iptc = next((data for number, _, data in resources if number == IPTC), b"")
    return iptc, write_resources(r for r in resources if r[0] != IPTC)
