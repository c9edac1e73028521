"""Passes static HDR metadata from a clip's frames to the encoder."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from av.sidedata.sidedata import Type


@dataclass(frozen=True)
class Light:
    """Static HDR metadata.

    Attributes:
        mastering: Primaries, white point and luminance (SMPTE ST 2086) in x265's notation; empty for none.
        content: Brightest pixel and brightest frame in cd/m2 (MaxCLL, MaxFALL) in x265's notation.
    """

    mastering: str = ""
    content: str = ""

    def __bool__(self) -> bool:
        return bool(self.mastering or self.content)


def light_of(frame: Any) -> Light:
    """Read the metadata of a decoded frame."""
    data = {d.type: bytes(d) for d in frame.side_data}
    return Light(
        _mastering(data.get(Type.MASTERING_DISPLAY_METADATA, b"")),
        _content(data.get(Type.CONTENT_LIGHT_LEVEL, b"")),
    )


def _mastering(data: bytes) -> str:
    """AVMasteringDisplayMetadata: R, G, B and white as (x, y), least and most light, two flags."""
    if len(data) < 88:
        return ""
    numbers = struct.unpack("=22i", data[:88])
    values = [n / d if d else 0.0 for n, d in zip(numbers[:20:2], numbers[1:20:2], strict=True)]
    has_primaries, has_luminance = numbers[20:22]
    if not (has_primaries and has_luminance):
        return ""
    red, green, blue, white = (tuple(round(v * 50000) for v in values[i : i + 2]) for i in range(0, 8, 2))
    least, most = (round(v * 10000) for v in values[8:10])
    places = "".join(
        f"{n}({x},{y})" for n, (x, y) in zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
    )
    return f"{places}L({most},{least})"


def _content(data: bytes) -> str:
    """AVContentLightMetadata: MaxCLL, MaxFALL."""
    return ",".join(map(str, struct.unpack("=2I", data[:8]))) if len(data) >= 8 else ""
