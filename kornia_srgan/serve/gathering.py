"""How the server enlarges: with a limit, and small pictures of one size in one call of the network.

All of it is used by the one thread that computes, so that nothing has to be locked.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kornia_srgan.errors import ImageError, NotFiniteError
from kornia_srgan.inference.rescale import Rescaler, Wanted
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.photo import Pixels


class TooLargeError(ImageError):
    """A picture or its result exceeds a limit."""


@dataclass(eq=False)
class _Turn:
    """A picture whose turn has not come. A client that goes away takes its picture with it."""

    pixels: weakref.ref[Pixels]
    upscaler: Upscaler
    result: Pixels | None = None


class Table:
    """The pictures whose turn comes next, and results that were made with those of others."""

    def __init__(self) -> None:
        self._turns: list[_Turn] = []

    def lay(self, upscaler: Upscaler, pixels: Pixels) -> None:
        """A picture waits for its turn."""
        self._turns = [turn for turn in self._turns if turn.pixels() is not None]
        self._turns.append(_Turn(weakref.ref(pixels), upscaler))

    def take(self, upscaler: Upscaler, pixels: Pixels) -> Pixels | None:
        """The result of a picture if it can be made with others, whose results are kept; else None."""
        mine = next((turn for turn in self._turns if turn.pixels() is pixels), None)
        if mine is None:
            return None
        self._turns.remove(mine)
        if mine.result is not None:
            return mine.result
        room = upscaler.room(*pixels.shape[:2])
        others = [(turn, like) for turn in self._turns if (like := _like(turn, upscaler, pixels)) is not None]
        others = others[: room - 1]
        if not others:
            return None
        try:
            results = upscaler.whole([pixels, *(like for _, like in others)])
        except (RuntimeError, MemoryError, NotFiniteError):  # alone, each says what is wrong with it
            return None
        for (turn, _), result in zip(others, results[1:], strict=True):
            turn.result = result
        return results[0]


def _like(turn: _Turn, upscaler: Upscaler, pixels: Pixels) -> Pixels | None:
    """The picture of a turn, if it can be computed with another."""
    other = turn.pixels()
    if other is None or turn.result is not None or turn.upscaler is not upscaler:
        return None
    return other if (other.shape, other.dtype) == (pixels.shape, pixels.dtype) else None


class Gathered(Upscaler):
    """An upscaler that makes the results of pictures on a table together, with the same pixels.

    Args:
        upscaler: The upscaler.
        table: Of all pictures.
    """

    def __init__(self, upscaler: Upscaler, table: Table) -> None:
        vars(self).update(vars(upscaler))  # all that it has is immutable
        self._upscaler, self._table = upscaler, table

    def tuned(self, pixels: Pixels, quality: int | None = None) -> Gathered:
        """The one for one picture, see `Upscaler.tuned`."""
        return Gathered(self._upscaler.tuned(pixels, quality), self._table)

    def lay(self, pixels: Pixels) -> None:
        """A picture waits for its turn."""
        self._table.lay(self._upscaler, pixels)

    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        """The enlarged pixels from top to bottom."""
        made = self._table.take(self._upscaler, pixels)
        if made is None:
            yield from self._upscaler.bands(pixels)
        else:
            yield made


class Limited(Rescaler):
    """A `Rescaler` that refuses results of too many pixels.

    Args:
        upscaler: The upscaler.
        wanted: The requested size.
        most: Pixels of the largest result.
        go_on: Called before each step with 0 megapixels; raises if the picture is no longer wanted.
    """

    def __init__(self, upscaler: Gathered, wanted: Wanted, most: int, go_on: Callable[[float], Any]) -> None:
        super().__init__(upscaler, wanted)
        self._gathered, self._most, self._go_on = upscaler, most, go_on

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width of the result for a picture of `height` x `width`.

        Raises:
            TooLargeError: If it has too many pixels.
        """
        size = super().size(height, width)
        if size[0] * size[1] > self._most:
            raise TooLargeError(
                f"the result would be {size[1]} x {size[0]}, over the limit of {self._most / 1e6:g} "
                "megapixels",
                where="image",
            )
        return size

    def tuned(self, pixels: Pixels, quality: int | None = None) -> Limited:
        """The rescaler for one picture, see `Upscaler.tuned`."""
        self._go_on(0.0)
        return Limited(self._gathered.tuned(pixels, quality), self.wanted, self._most, self._go_on)

    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        """The resized pixels from top to bottom."""
        self._go_on(0.0)
        if self._passes(pixels.shape[:2], self.size(*pixels.shape[:2])):
            self._gathered.lay(pixels)
        return super().bands(pixels)
