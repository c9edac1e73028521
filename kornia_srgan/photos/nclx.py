"""The code points (CICP) in which an AVIF or HEIC says what its colours are."""

from __future__ import annotations

import struct

from kornia_srgan.photos.av1 import av1_colours
from kornia_srgan.photos.hevc import hevc_colours
from kornia_srgan.photos.items import picture_bytes, picture_properties

CodePoints = tuple[int, int]
"""Primaries and transfer, as Rec. ITU-T H.273 numbers them."""


def stated_code_points(data: bytes) -> tuple[CodePoints | None, tuple[str, ...]]:
    """The code points of a picture: those of its box `colr`, or without one those in its stream.

    Args:
        data: The file.

    Returns:
        The code points, None where there are none; and a note where the stream cannot be read.
    """
    properties = list(picture_properties(data))
    for name, content in properties:
        if name == b"colr" and content[:4] == b"nclx" and len(content) >= 10:
            return struct.unpack_from(">HH", content, 4), ()
    read, unread = [], []
    for name, content in properties:
        try:
            if name == b"av1C":
                read.append(_by_av1(content, data))
            elif name == b"hvcC":
                read.append(hevc_colours(content, picture_bytes(data)))
        except ValueError as error:
            unread.append(f"what its stream says of its colours cannot be read ({error}): taken for sRGB")
    found = next((codes for codes in read if codes is not None), None)
    return found, () if read else tuple(unread[:1])


def _by_av1(configuration: bytes, data: bytes) -> CodePoints | None:
    """The header may stand in the box or before the picture."""
    try:
        return av1_colours(configuration[4:])
    except ValueError:
        return av1_colours(picture_bytes(data))
