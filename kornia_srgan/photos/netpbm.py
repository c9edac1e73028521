"""Netpbm files that Pillow cuts down or does not know: 16-bit PGM and PPM, PAM, and PFM of colour."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.photo import Frame, Pixels, Space, split_alpha

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"  # one by one: runs of runs are matched in exponential time
_MAP = re.compile(rb"(P[2356])" + (_GAP + rb"(\d+)") * 3 + rb"(?:\s*#[^\r\n]*[\r\n])?\s")
_FLOAT = re.compile(rb"PF" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"(-?[\d.eE+]+)\s")
_MOST_HEADER = 2**20
_SPACES: dict[int, Space] = {1: "L", 2: "L", 3: "RGB", 4: "RGB"}


@dataclass(frozen=True)
class NetpbmHeader:
    """What a file of ours says first.

    Attributes:
        kind: `P2` to `P7` or `PF`.
        width: In pixels.
        height: In pixels.
        channels: Opacity among them.
        largest: The value of white.
        start: Where the values begin.
        order: Of a value's bytes, as numpy writes it.
    """

    kind: str
    width: int
    height: int
    channels: int
    largest: int
    start: int
    order: str = ">"


def netpbm_header(data: bytes) -> NetpbmHeader | None:
    """The header of a kind that is read here; None for the others, which are Pillow's."""
    head = data[:_MOST_HEADER]
    found = _MAP.match(head)
    if found is not None:
        kind, (width, height, largest) = found.group(1).decode(), (int(v) for v in found.groups()[1:])
        channels = 3 if kind in ("P3", "P6") else 1
        header = NetpbmHeader(kind, width, height, channels, largest, found.end())
        return header if largest > 255 else None
    found = _FLOAT.match(head)
    if found is not None:
        order = "<" if float(found.group(3)) < 0 else ">"
        return NetpbmHeader("PF", int(found.group(1)), int(found.group(2)), 3, 1, found.end(), order)
    return _pam_header(head) if head.startswith(b"P7") else None


def _pam_header(head: bytes) -> NetpbmHeader | None:
    end = head.find(b"ENDHDR")
    fields = dict(re.findall(rb"^(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d+)\s*$", head[: max(end, 0)], re.M))
    if end < 0 or len(fields) != 4:
        return None
    width, height, channels, largest = (
        int(fields[key]) for key in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")
    )
    return NetpbmHeader("P7", width, height, channels, largest, head.index(b"\n", end) + 1)


def netpbm_comments(data: bytes) -> list[bytes]:
    """The comments of a Netpbm file; in one that is text they may stand between the values too."""
    if data.startswith(b"P7"):
        end = max(0, data.find(b"ENDHDR", 0, _MOST_HEADER))
        return [line.strip() for line in re.findall(rb"^#([^\r\n]*)", data[:end], re.M)]
    if data[1:2] in (b"1", b"2", b"3"):
        text = data
    else:
        numbers = 2 if data[1:2] == b"4" else 3
        head = re.compile(rb"P[4-6fF]" + (_GAP + rb"-?[\d.eE+]+") * numbers).match(data[:_MOST_HEADER])
        text = head.group() if head is not None else b""
    return [line.strip() for line in re.findall(rb"#([^\r\n]*)", text)]


def read_netpbm(data: bytes, header: NetpbmHeader) -> tuple[Space, Frame]:
    """The picture of a file with such a header.

    Raises:
        ImageError: If it is damaged or no picture.
    """
    if not 0 < header.largest < 65536:
        raise ImageError(f"the file is damaged (its largest value is {header.largest})")
    if header.channels not in _SPACES:
        raise ImageError(f"it has {header.channels} bands; grey or RGB, with opacity or without, is enlarged")
    values = _values(data, header)
    if len(values) < header.width * header.height * header.channels:
        raise ImageError("the file is damaged (it ends too soon)")
    if values.min(initial=0) < 0 or not values.max(initial=0) <= header.largest:
        raise ImageError(f"its values are not all between 0 and {header.largest}")
    pixels = values.reshape(header.height, header.width, header.channels)
    if header.kind == "PF":
        pixels = pixels[::-1].astype(np.float32)
    else:
        white, dtype = (255, np.uint8) if header.largest <= 255 else (65535, np.uint16)
        pixels = (pixels.astype(np.float64) * (white / header.largest) + 0.5).astype(dtype)
    return _SPACES[header.channels], split_alpha(pixels, has_alpha=header.channels % 2 == 0)


def _values(data: bytes, header: NetpbmHeader) -> Pixels:
    count = header.width * header.height * header.channels
    if header.kind in ("P2", "P3"):
        text = re.sub(rb"#[^\r\n]*", b"", data[header.start :])
        return np.array(text.split()[:count], np.int64)
    size, kind = (4, "f4") if header.kind == "PF" else (1, "u1") if header.largest <= 255 else (2, "u2")
    body = data[header.start : header.start + size * count]
    return np.frombuffer(body[: len(body) // size * size], header.order + kind)
