"""What an HEVC stream itself says of its colours (Rec. ITU-T H.265, 7.3.2.2 and E.2.1).

They stand at the end of the sequence parameter set (SPS), so that all before them must be read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain

from kornia_srgan.photos.bits import Bits

_SPS = 33
_SIZES_AT, _LISTS_AT = 21, 22  # in `hvcC`: bytes in the size of a unit, number of lists of parameter sets
_EXTENDED_SHAPE = 255
_4_4_4 = 3
# More than these no stream may have; a damaged one would make us read for a long time.
_MOST_SETS, _MOST_PICTURES = 64, 16


def hevc_colours(configuration: bytes, stream: bytes = b"") -> tuple[int, int] | None:
    """CICP primaries and transfer of an HEVC stream; None where it says nothing of them.

    Args:
        configuration: The content of the box `hvcC`.
        stream: The picture's compressed bytes, which may hold the SPS instead.

    Raises:
        ValueError: If it cannot be read.
    """
    try:
        sizes = (configuration[_SIZES_AT] & 3) + 1
        for unit in chain(_parameter_sets(configuration), _units(stream, sizes)):
            layer = (unit[0] & 1) << 5 | unit[1] >> 3
            if unit[0] >> 1 & 63 == _SPS and layer == 0:  # another layer is another eye's view, or depth
                return _colours(Bits(unit[2:].replace(b"\0\0\3", b"\0\0")))
    except (EOFError, IndexError, struct.error) as error:
        raise ValueError("the sequence parameter set ends too soon") from error
    raise ValueError("there is no sequence parameter set")


def _parameter_sets(configuration: bytes) -> Iterator[bytes]:
    place = _LISTS_AT + 1
    for _ in range(configuration[_LISTS_AT]):
        (count,) = struct.unpack_from(">H", configuration, place + 1)
        place += 3
        for _ in range(count):
            (size,) = struct.unpack_from(">H", configuration, place)
            yield configuration[place + 2 : place + 2 + size]
            place += 2 + size


def _units(stream: bytes, size_bytes: int) -> Iterator[bytes]:
    place = 0
    while place + size_bytes < len(stream):
        size = int.from_bytes(stream[place : place + size_bytes], "big")
        yield stream[place + size_bytes : place + size_bytes + size]
        place += size_bytes + size


def _colours(bits: Bits) -> tuple[int, int] | None:
    bits.take(4)  # which video parameter set
    sub_layers = bits.take(3)
    bits.take(1)
    _profile_and_level(bits, sub_layers)
    bits.exp_golomb()  # its number
    if bits.exp_golomb() == _4_4_4:
        bits.take(1)  # each colour a plane of its own
    _size_and_depth(bits)
    order_bits = bits.exp_golomb() + 4
    ordered = bits.take(1)
    for _ in range(sub_layers + 1 if ordered else 1):
        _skip(bits, 3)
    _skip(bits, 6)  # blocks of coding and transform
    if bits.take(1) and bits.take(1):
        _scaling_lists(bits)
    bits.take(2)  # asymmetric motion, sample adaptive offset
    if bits.take(1):  # raw samples
        bits.take(8)
        _skip(bits, 2)
        bits.take(1)
    _reference_pictures(bits, order_bits)
    bits.take(2)  # temporal motion vectors, strong smoothing
    return _usability(bits) if bits.take(1) else None


def _usability(bits: Bits) -> tuple[int, int] | None:
    """The beginning of the video usability information (VUI)."""
    if bits.take(1) and bits.take(8) == _EXTENDED_SHAPE:
        bits.take(32)
    if bits.take(1):  # overscan
        bits.take(1)
    if not bits.take(1):
        return None
    bits.take(3 + 1)  # PAL or NTSC, full range
    return (bits.take(8), bits.take(8)) if bits.take(1) else None


def _skip(bits: Bits, count: int) -> None:
    for _ in range(count):
        bits.exp_golomb()


def _profile_and_level(bits: Bits, sub_layers: int) -> None:
    bits.take(88 + 8)
    stated = [(bits.take(1), bits.take(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.take(2 * (8 - sub_layers))
    for profile, level in stated:
        bits.take(88 * profile + 8 * level)


def _size_and_depth(bits: Bits) -> None:
    _skip(bits, 2)
    if bits.take(1):  # only a part of it is shown
        _skip(bits, 4)
    _skip(bits, 2)


def _scaling_lists(bits: Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.take(1):  # like another list
                bits.exp_golomb()
                continue
            first = 1 if size > 1 else 0
            _skip(bits, first + min(64, 16 << 2 * size))


def _reference_pictures(bits: Bits, order_bits: int) -> None:
    sets = _at_most(_MOST_SETS, bits.exp_golomb())
    pictures = 0  # in the set before
    for index in range(sets):
        if index and bits.take(1):  # made from the set before
            bits.take(1)
            bits.exp_golomb()
            pictures = sum(bits.take(1) or bits.take(1) for _ in range(pictures + 1))
        else:
            before, after = bits.exp_golomb(), bits.exp_golomb()
            pictures = _at_most(_MOST_PICTURES, before + after)
            for _ in range(pictures):
                bits.exp_golomb()
                bits.take(1)
    if bits.take(1):  # pictures that are kept for long
        bits.take(_at_most(_MOST_SETS, bits.exp_golomb()) * (_at_most(_MOST_PICTURES, order_bits) + 1))


def _at_most(limit: int, number: int) -> int:
    if number > limit:
        raise ValueError("the sequence parameter set is damaged")
    return number
