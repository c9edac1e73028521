"""Rectangles of LR pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle of LR pixels, ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        """The number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def grown(self, halo: int, align: int, height: int, width: int) -> Box:
        """The box with a halo around it, starting on a multiple of `align`, inside the image."""
        return Box(
            max(0, (self.top - halo) // align * align),
            max(0, (self.left - halo) // align * align),
            min(height, -(-(self.bottom + halo) // align) * align),
            min(width, -(-(self.right + halo) // align) * align),
        )

    def quarters(self) -> list[Box]:
        """The box split into two or four parts, row by row; a box of one pixel cannot be split."""
        rows = _halves(self.top, self.bottom)
        columns = _halves(self.left, self.right)
        return [Box(t, x, b, r) for t, b in rows for x, r in columns]


def _halves(start: int, stop: int) -> list[tuple[int, int]]:
    if stop - start < 2:
        return [(start, stop)]
    middle = (start + stop + 1) // 2
    return [(start, middle), (middle, stop)]
