"""What an AV1 stream itself says of its colours (AV1 specification, 5.5: sequence header)."""

from __future__ import annotations

from collections.abc import Iterator

from kornia_srgan.photos.bits import Bits

_SEQUENCE_HEADER = 1


def av1_colours(stream: bytes) -> tuple[int, int] | None:
    """CICP primaries and transfer of an AV1 stream; None where it says nothing of them.

    Args:
        stream: Open Bitstream Units, of which the first sequence header counts.

    Raises:
        ValueError: If there is no sequence header, or it is broken off.
    """
    for kind, content in _units(stream):
        if kind == _SEQUENCE_HEADER:
            try:
                return _colours(Bits(content))
            except EOFError as error:
                raise ValueError("the sequence header ends too soon") from error
    raise ValueError("there is no sequence header")


def _units(stream: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(stream):
        head = stream[place]
        place += 2 if head & 4 else 1  # the extension
        size, shift = 0, 0
        if not head & 2:
            size = len(stream) - place
        else:
            while place < len(stream) and shift < 56:
                byte = stream[place]
                size |= (byte & 0x7F) << shift
                place, shift = place + 1, shift + 7
                if byte < 0x80:
                    break
        yield head >> 3 & 15, stream[place : place + size]
        place += size


def _colours(bits: Bits) -> tuple[int, int] | None:
    profile = bits.take(3)
    bits.take(1)  # still picture
    reduced = bits.take(1)
    bits.take(5) if reduced else _operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    bits.take(width_bits + height_bits)
    if not reduced and bits.take(1):  # frame numbers
        bits.take(7)
    bits.take(3)  # superblocks of 128, filters of intra prediction
    if not reduced:
        _tools(bits)
    bits.take(3)  # super-resolution, CDEF, restoration
    if bits.take(1) and profile == 2:  # deep
        bits.take(1)
    if profile != 1:
        bits.take(1)  # grey
    return (bits.take(8), bits.take(8)) if bits.take(1) else None


def _operating_points(bits: Bits) -> None:
    delay = 0
    model = bits.take(1)
    if model:  # timing
        bits.take(64)
        if bits.take(1):
            bits.exp_golomb()
        model = bits.take(1)
        if model:
            delay = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    display = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if model and bits.take(1):
            bits.take(2 * delay + 1)
        if display and bits.take(1):
            bits.take(4)


def _tools(bits: Bits) -> None:
    """The tools of prediction between frames."""
    bits.take(4)
    ordered = bits.take(1)
    if ordered:
        bits.take(2)
    screen = 2 if bits.take(1) else bits.take(1)
    if screen and not bits.take(1):
        bits.take(1)
    if ordered:
        bits.take(3)
