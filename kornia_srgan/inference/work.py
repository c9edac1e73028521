"""What enlarges the pieces of an image, whichever the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

Run = Callable[[Tensor], Tensor]
"""Makes `(1, C, scale*h, scale*w)` of a piece `(1, C, h, w)`."""
Started = Callable[[], tuple[Tensor, list[bool]]]
"""Waits for the results of pieces, `(B, C, scale*h, scale*w)`; and which of them can be used."""


class Work(Protocol):
    """Enlarges pieces of one size on a device: `compute.Pieces`, and `OneByOne` for plain functions."""

    @property
    def overlapped(self) -> bool:
        """Whether results are copied while the next ones are computed, so that it pays to start early."""
        ...

    @property
    def spare(self) -> Run | None:
        """Enlarges a tile where the device has no memory for 16 x 16 pixels; None if nothing does."""
        ...

    def room(self, height: int, width: int) -> int:
        """How many pieces of that size to enlarge together, at least 1."""
        ...

    def start(self, pieces: Tensor) -> Started:
        """Start to enlarge `(B, C, h, w)`."""
        ...

    def again(self, piece: Tensor) -> Tensor:
        """Enlarge a piece whose result could not be used, with more care."""
        ...


@dataclass(frozen=True)
class OneByOne:
    """A function as `Work`: it enlarges one piece at a time, and its results can be used.

    Attributes:
        run: Enlarges one piece.
        spare: See `Work`.
    """

    run: Run
    spare: Run | None = None

    @property
    def overlapped(self) -> bool:
        """It gives results that are there."""
        return False

    def room(self, height: int, width: int) -> int:
        """One, of any size."""
        del height, width
        return 1

    def start(self, pieces: Tensor) -> Started:
        """Enlarge one piece."""
        larger = self.run(pieces)
        return lambda: (larger, [True])

    def again(self, piece: Tensor) -> Tensor:
        """The same."""
        return self.run(piece)
