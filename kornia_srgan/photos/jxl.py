"""The header of a JPEG XL file, read bit by bit: its decoders show nothing before all pixels are decoded."""

from __future__ import annotations

from dataclasses import dataclass

from kornia_srgan.photos.chunks import find_boxes

_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


@dataclass(frozen=True)
class JxlHeader:
    """What a JPEG XL file says first.

    Attributes:
        width: Upright, as it is shown.
        height: Likewise.
        bits: A channel; 16 or 32 where it holds floating point.
        animated: It has frames in time.
    """

    width: int
    height: int
    bits: int
    animated: bool


class _Bits:
    """Bits from the lowest of the first byte on."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def flag(self) -> bool:
        return bool(self.take(1))

    def choose(self, *choices: tuple[int, int]) -> int:
        """One of four numbers: a base and so many bits to add to it."""
        base, count = choices[self.take(2)]
        return base + self.take(count)


def jxl_header(data: bytes) -> JxlHeader | None:
    """The header of a bare codestream or a container; None where there is none (ISO/IEC 18181-1, annex D)."""
    if not data.startswith(b"\xff\x0a"):
        whole = next(find_boxes(data, (b"jxlc",)), None)
        part = next(find_boxes(data, (b"jxlp",)), b"")
        data = whole if whole is not None else part[4:]
    if not data.startswith(b"\xff\x0a"):
        return None
    bits = _Bits(data[2:66])
    width, height = _size(bits)
    orientation, depth, animated = 1, 8, False
    if not bits.flag():  # not all is as usual
        if bits.flag():  # extra fields
            orientation = bits.take(3) + 1
            if bits.flag():
                _size(bits)  # intrinsic
            if bits.flag():
                return None  # a preview, whose size is written in yet another way
            animated = bits.flag()
            if animated:
                bits.choose((100, 0), (1000, 0), (1, 10), (1, 30))
                bits.choose((1, 0), (1001, 0), (1, 8), (1, 10))
                bits.choose((0, 0), (0, 3), (0, 16), (0, 32))
                bits.flag()
        if bits.flag():
            depth = bits.choose((32, 0), (16, 0), (24, 0), (1, 6))
        else:
            depth = bits.choose((8, 0), (10, 0), (12, 0), (1, 6))
    if orientation > 4:
        width, height = height, width
    return JxlHeader(width, height, depth, animated)


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.flag()

    def side() -> int:
        return (bits.take(5) + 1) * 8 if small else bits.choose((1, 9), (1, 13), (1, 18), (1, 30))

    height = side()
    ratio = bits.take(3)
    if not ratio:
        return side(), height
    over, under = _RATIOS[ratio]
    return height * over // under, height
