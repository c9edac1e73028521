"""ICC profiles of the simple kind, read and made: primaries or none, and one curve for each channel.

What a file says of its colours by other means becomes such a profile: every format that holds profiles then
keeps it, and every colour-managed viewer understands it. The layout is that of ICC.1:2010 (version 4).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPACES = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}

_HEADER, _ENTRY = 128, 12
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class Primaries:
    """Chromaticities (x, y) of white and of what red, green and blue alone show."""

    white: tuple[float, float]
    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]

    def close_to(self, other: Primaries, tolerance: float = 0.01) -> bool:
        """Whether all coordinates agree; the tolerance is libpng's."""
        mine = np.array([self.white, self.red, self.green, self.blue])
        return bool(np.abs(mine - [other.white, other.red, other.green, other.blue]).max() <= tolerance)


SRGB = Primaries((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def space_of(icc: bytes) -> bytes:
    """The colour space of the values that a profile is for, such as `b"RGB "`."""
    return icc[16:20]


def is_profile(icc: bytes) -> bool:
    """Whether bytes begin as a profile does."""
    return len(icc) > _HEADER and icc[36:40] == b"acsp"


def find_tag(icc: bytes, name: bytes) -> bytes | None:
    """The data of a profile's tag; None where it has no such tag or is damaged."""
    if len(icc) < _HEADER + 4:
        return None
    (count,) = struct.unpack_from(">I", icc, _HEADER)
    for index in range(min(count, 200)):
        place = _HEADER + 4 + index * _ENTRY
        if place + _ENTRY > len(icc):
            return None
        signature, offset, size = struct.unpack_from(">4sII", icc, place)
        if signature == name:
            return icc[offset : offset + size] if offset + size <= len(icc) else None
    return None


def hdr_transfer(icc: bytes) -> str | None:
    """`PQ` or `HLG` where a profile says so, else None."""
    cicp = find_tag(icc, b"cicp")
    return HDR_TRANSFERS.get(cicp[9]) if cicp is not None and len(cicp) >= 12 else None


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def power_curve(gamma: float) -> bytes:
    """A curve `light = value ** gamma`."""
    return b"para" + bytes(4) + struct.pack(">HH", 0, 0) + _fixed(gamma)


def segmented_curve(gamma: float, a: float, b: float, c: float, d: float) -> bytes:
    """A curve `(a value + b) ** gamma` from d on, and `c value` below: sRGB's and BT.709's kind."""
    return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + b"".join(_fixed(v) for v in (gamma, a, b, c, d))


def sampled_curve(values: Sequence[int]) -> bytes:
    """A curve by 16-bit samples at equal steps."""
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


SRGB_CURVE = segmented_curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
BT709_CURVE = segmented_curve(1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)


def rgb_profile(name: str, primaries: Primaries, curves: Sequence[bytes]) -> bytes:
    """A profile for RGB.

    Args:
        name: What viewers show.
        primaries: The colours.
        curves: One for all, or those of red, green and blue.

    Raises:
        ValueError: If the primaries lie on one line.
    """
    matrix = _to_d50(primaries)
    red, green, blue = curves if len(curves) == 3 else (curves[0],) * 3
    tags = {
        b"desc": _text(name),
        b"cprt": _text("CC0"),
        b"wtpt": _xyz(_D50),
        b"chad": b"sf32" + bytes(4) + b"".join(_fixed(v) for v in _adaptation(primaries.white).ravel()),
        b"rXYZ": _xyz(matrix[:, 0]),
        b"gXYZ": _xyz(matrix[:, 1]),
        b"bXYZ": _xyz(matrix[:, 2]),
        b"rTRC": red,
        b"gTRC": green,
        b"bTRC": blue,
    }
    return _profile(b"RGB ", tags)


def grey_profile(name: str, curve: bytes) -> bytes:
    """A profile for grey."""
    return _profile(
        b"GRAY", {b"desc": _text(name), b"cprt": _text("CC0"), b"wtpt": _xyz(_D50), b"kTRC": curve}
    )


def as_rgb(icc: bytes) -> bytes | None:
    """The profile of grey for the same grey in three equal channels; None where it is not by one curve."""
    curve = find_tag(icc, b"kTRC")
    return None if curve is None else rgb_profile("Grey as RGB", SRGB, [curve])


def as_grey(icc: bytes) -> bytes | None:
    """The profile of RGB for grey, that is three equal channels; None where their curves are not the same."""
    curves = {find_tag(icc, tag) for tag in (b"rTRC", b"gTRC", b"bTRC")}
    curve = curves.pop()
    return None if curves or curve is None else grey_profile("RGB as grey", curve)


def _to_d50(primaries: Primaries) -> NDArray[np.float64]:
    """The matrix from linear RGB to XYZ under D50."""
    columns = np.array([_as_xyz(xy) for xy in (primaries.red, primaries.green, primaries.blue)]).T
    if abs(np.linalg.det(columns)) < 1e-6:
        raise ValueError("the primaries lie on one line")
    scaled = columns * np.linalg.solve(columns, _as_xyz(primaries.white))
    return _adaptation(primaries.white) @ scaled


def _adaptation(white: tuple[float, float]) -> NDArray[np.float64]:
    """Bradford's matrix from one white to D50."""
    ratio = (_BRADFORD @ np.array(_D50)) / (_BRADFORD @ _as_xyz(white))
    return np.linalg.inv(_BRADFORD) @ np.diag(ratio) @ _BRADFORD


def _as_xyz(xy: tuple[float, float]) -> NDArray[np.float64]:
    x, y = xy
    if y <= 0:
        raise ValueError("a primary without light")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _xyz(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_fixed(float(v)) for v in values)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    entries, body = b"", b""
    start = _HEADER + 4 + len(tags) * _ENTRY
    for name, data in tags.items():
        entries += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s24xI12s4s44x",
        start + len(body), b"\0\0\0\0", 0x04300000, b"mntr", space, b"XYZ ",
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0), b"acsp", 0, _xyz(_D50)[8:], b"\0\0\0\0",
    )  # fmt: skip
    return header + struct.pack(">I", len(tags)) + entries + body
