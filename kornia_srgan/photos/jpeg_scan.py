"""Damage among the pixels of a JPEG that libjpeg passes over in silence.

Where a JPEG has restart markers, as those of many cameras do, libjpeg goes on at the next one after damage,
and Pillow does not say so. Without them Pillow refuses a wrong marker itself.
"""

from __future__ import annotations

import numpy as np

from kornia_srgan.photos.segments import COM, EOI, SOS

_MARKER = 0xFF
_DRI, _RST0 = 0xDD, 0xD0
# What may follow the pixels of a scan: tables and the next scan, remarks, the end.
_AFTER = frozenset({0xC4, SOS, 0xDB, 0xDC, _DRI, EOI, COM, *range(0xE0, 0xF0)})


def scan_damage(data: bytes) -> list[str]:
    """What is wrong with the markers among the pixels, in words; empty where nothing is.

    Restart markers come in turn, and no other marker may stand among pixels. Damage that makes other pixels
    without a wrong marker is not seen: that would take a decoder.
    """
    stored = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(stored[:-1] == _MARKER)
    codes = stored[places + 1]
    meant = (codes != 0) & (codes != _MARKER)  # a pixel's own 0xFF is followed by 0
    places, codes = places[meant], codes[meant]
    interval, place = 0, 2
    while place + 4 <= len(data) and data[place] == _MARKER and data[place + 1] != EOI:
        if data[place + 1] == _MARKER:  # fill
            place += 1
            continue
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if marker == _DRI:
            interval = int.from_bytes(data[place + 4 : place + 6])
        place += 2 + length
        if marker != SOS:
            continue
        here = int(np.searchsorted(places, place))
        restarts = (codes[here:] & 0xF8) == _RST0
        end = here + (len(restarts) if restarts.all() else int(np.argmin(restarts)))
        turns = codes[here:end] - _RST0
        wrong = turns != np.arange(len(turns)) % 8 if interval else np.ones(len(turns), bool)
        if wrong.any():
            return [f"a restart marker out of turn at byte {places[here + int(np.argmax(wrong))]}"]
        if end == len(places):
            return []
        if int(codes[end]) not in _AFTER:
            return [f"an unknown marker among its pixels at byte {places[end]}"]
        place = int(places[end])
    return []
