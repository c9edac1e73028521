"""Reads numbers of any number of bits, as the headers of video streams hold them."""

from __future__ import annotations


class Bits:
    """Reads bits, from the highest of the first byte on.

    Args:
        data: The bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits as a number.

        Raises:
            EOFError: If there are fewer.
        """
        self._left -= count
        if self._left < 0:
            raise EOFError("the data ends too soon")
        return self._value >> self._left & ((1 << count) - 1)

    def exp_golomb(self) -> int:
        """The next unsigned number of variable length: `uvlc` in AV1, `ue(v)` in HEVC.

        Raises:
            EOFError: If the data ends before the number does.
        """
        zeros = 0
        while not self.take(1):
            zeros += 1
        if zeros >= 32:  # the largest number there is; AV1 writes no digits for it
            return 2**32 - 1
        return (1 << zeros) - 1 + self.take(zeros)
