"""Pictures in FITS: big-endian planes, and cards of 80 letters that say how to read them (FITS standard 4.0).

Pillow reads 8 bits alone as they are; it takes more for little-endian, and the first plane for all of them.
"""

from __future__ import annotations

import numpy as np

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.header import check_size
from kornia_srgan.photos.modes import Decoded
from kornia_srgan.photos.photo import Frame, Space

_CARD, _BLOCK = 80, 2880
_TYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_SPACES: dict[int, Space] = {1: "L", 3: "RGB"}
_HALF = 2.0**15  # stored less than it is, so that 16 bits without a sign fit into those with one
_ADVICE = "convert it to 16-bit TIFF or PNG first"


def read_fits(data: bytes, max_pixels: int) -> Decoded:
    """The picture of the first part of a FITS file: grey, or colour in three planes.

    Raises:
        ImageError: If it holds none, its values have no known white, or it is damaged or too large.
    """
    cards, start = _cards(data)
    sizes = [int(cards.get(f"NAXIS{axis + 1}", "0")) for axis in range(int(cards.get("NAXIS", "0")))]
    if len(sizes) < 2:
        raise ImageError(f"the first part of this FITS file holds no picture; {_ADVICE}")
    width, height, *others = sizes
    planes = int(np.prod(others))
    if planes not in _SPACES:
        raise ImageError(f"a FITS file of {planes} planes is no photograph; write each to a file of its own")
    check_size(width * height, max_pixels)
    kind = np.dtype(_TYPES[int(cards["BITPIX"])])
    count = width * height * planes
    if len(data) < start + count * kind.itemsize:
        raise ImageError("the file is damaged (it ends too soon)")
    stored = np.frombuffer(data, kind, count, start).reshape(planes, height, width)
    scaling = (float(cards.get("BSCALE", "1")), float(cards.get("BZERO", "0")))
    pixels = np.moveaxis(_in_known_depth(stored, *scaling), 0, -1)
    if "TOP-DOWN" not in cards.get("ROWORDER", ""):
        pixels = pixels[::-1]
    return Decoded(Frame(np.ascontiguousarray(pixels)), _SPACES[planes])


def _cards(data: bytes) -> tuple[dict[str, str], int]:
    """The values of the header, and where the pixels begin."""
    cards: dict[str, str] = {}
    for place in range(0, len(data) - _CARD + 1, _CARD):
        card = data[place : place + _CARD].decode("latin-1")
        name = card[:8].strip()
        if name == "END":
            return cards, -(-(place + _CARD) // _BLOCK) * _BLOCK
        if card[8:10] == "= ":
            cards.setdefault(name, card[10:].split("/")[0].strip())
    raise ImageError("the file is damaged (its header has no end)")


def _in_known_depth(stored: np.ndarray, scale: float, zero: float) -> np.ndarray:
    """The values in 8 or 16 bits without a sign, or as floating point in [0, 1]."""
    if stored.dtype == np.uint8 and (scale, zero) == (1, 0):
        return stored
    if stored.dtype == np.dtype(">i2") and (scale, zero) == (1, _HALF):
        return (stored.astype(np.int32) + int(_HALF)).astype(np.uint16)
    if stored.dtype.kind == "f":
        values = (stored * scale + zero).astype(np.float32)
        if np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1:
            return values
        raise ImageError("its floating-point values are not all in [0, 1]; scale them first")
    raise ImageError(f"its values ({stored.dtype.name} in FITS) have no known white level; {_ADVICE}")
