"""Enlarges an image in tiles without seams.

Each tile is extended by a halo as wide as the generator's receptive field, and the result of the halo is
discarded. Every remaining pixel depends on exactly the same pixels as in the whole image. At the border of
the image nothing is added; the network pads there as it would pad the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import starmap
from typing import TypeVar

import torch
from torch import Tensor

from kornia_srgan.errors import OutOfMemoryError
from kornia_srgan.inference.blending import blended_bands
from kornia_srgan.inference.box import Box
from kornia_srgan.inference.work import Started, Work

T = TypeVar("T")


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into tiles.

    Attributes:
        tile: Side of a tile in LR pixels; 0 for the whole image at once.
        halo: Overlap in LR pixels; None for a generator that needs the whole image.
        scale: The generator's scale.
        align: Tiles start at multiples of this (for generators that begin with a pixel unshuffle).
        blend: LR pixels on each side of a seam over which tiles are blended; at most half of a tile.
        whole: Whether images are processed whole although the user did not request it.
    """

    tile: int
    halo: int | None
    scale: int
    align: int = 1
    blend: int = 0
    whole: bool = False

    @property
    def note(self) -> str:
        """A note about tiled pictures for the user; empty if tiles have no seams."""
        if self.whole:
            return "this model takes pictures whole: tiles are not used, and memory grows with the picture"
        if not self.blend or not self.tile:
            return ""
        return (
            f"this model sees further than its tiles overlap ({self.halo} pixels); they are blended, so the "
            "picture differs a little from one made whole (--tile 0)"
        )

    def rows(self, height: int, width: int, start: int = 0, stop: int | None = None) -> Iterator[list[Box]]:
        """The tiles of an image from row `start` on, one row of tiles at a time, the last before `stop`."""
        if self.tile == 0 or self.halo is None:
            yield [Box(start, 0, height, width)]
            return
        end = height if stop is None else stop
        for top in range(start, end, self.tile):
            bottom = min(top + self.tile, end)
            yield [Box(top, x, bottom, min(x + self.tile, width)) for x in range(0, width, self.tile)]


def upscale_bands(
    work: Work, image: Tensor, tiling: Tiling, *, start: int = 0, stop: int | None = None
) -> Iterator[Tensor]:
    """Yield the enlarged image from top to bottom, one row of tiles at a time.

    Tiles of one shape in a row are gathered, as many as there is room for, enlarged together and placed into
    the row's band. Where copies overlap, a row is started before the one above it is yielded.

    Memory is bounded by the activations of these tiles and one band of output, for images of any size. Where
    copies overlap, the results of two rows come on top.

    Args:
        work: Enlarges pieces; if it runs out of memory, tiles go one by one, then in quarters.
        image: `(1, C, h, w)`, of any dtype that `work` takes.
        tiling: How to cut the image.
        start: The first LR row to enlarge.
        stop: The LR row behind the last one to enlarge; None for all.

    Yields:
        `(1, C, scale*rows, scale*w)` in the dtype that `work` gives.
    """
    height, width = image.shape[-2:]
    rows = tiling.rows(height, width, start, stop)
    if tiling.blend and tiling.tile and tiling.halo is not None:
        blend = min(tiling.blend, tiling.tile // 2)
        tiles = _Tiles(work, image, replace(tiling, halo=max(0, tiling.halo - blend)))
        yield from blended_bands(tiles.one, rows, blend=blend, scale=tiling.scale, size=(height, width))
        return
    tiles = _Tiles(work, image, tiling)
    started = ((row, tiles.start(row)) for row in rows)
    yield from starmap(tiles.band, _one_ahead(started))


def _one_ahead(started: Iterator[T]) -> Iterator[T]:
    """The same, each one after the next has been started."""
    waiting = next(started, None)
    while waiting is not None:
        following = next(started, None)
        yield waiting
        waiting = following


@dataclass(frozen=True)
class _Batch:
    """Tiles of one shape on their way; without memory to start them `wait` is None."""

    boxes: list[Box]
    wait: Started | None


@dataclass(frozen=True)
class _Tiles:
    """The tiles of an image."""

    work: Work
    image: Tensor
    tiling: Tiling

    def start(self, row: list[Box]) -> Iterable[_Batch]:
        """A row of tiles, all on their way; one after the other where that gains nothing."""
        batches = map(self._started, self._gathered(row))
        return list(batches) if self.work.overlapped else batches

    def band(self, row: list[Box], batches: Iterable[_Batch]) -> Tensor:
        """Wait for a row of tiles, and put each into its place."""
        tiles = (tile for batch in batches for tile in self._finished(batch))
        if len(row) == 1:
            return next(tiles)[1]
        band: Tensor | None = None
        for box, tile in tiles:
            band = self._empty_band(tile) if band is None else band
            band[..., box.left * self.tiling.scale : box.right * self.tiling.scale] = tile
        assert band is not None
        return band

    def one(self, box: Box) -> Tensor:
        """One tile."""
        return self.band([box], self.start([box]))

    def _empty_band(self, tile: Tensor) -> Tensor:
        """Laid out as its tiles are."""
        last = torch.channels_last if tile.stride(1) == 1 else torch.contiguous_format
        size = (*tile.shape[:-1], self.image.shape[-1] * self.tiling.scale)
        return torch.empty(size, dtype=tile.dtype, device=tile.device, memory_format=last)

    def _gathered(self, row: list[Box]) -> list[list[Box]]:
        """The tiles that go together, in the order of the row: networks may draw random numbers."""
        shapes: dict[tuple[int, int], list[Box]] = {}
        for box in row:
            seen = self._seen(box)
            shapes.setdefault((seen.bottom - seen.top, seen.right - seen.left), []).append(box)
        batches: list[list[Box]] = []
        for shape, boxes in shapes.items():
            count = self.work.room(*shape)
            batches += [boxes[first : first + count] for first in range(0, len(boxes), count)]
        return sorted(batches, key=lambda boxes: boxes[0].left)

    def _started(self, boxes: list[Box]) -> _Batch:
        def start() -> Started:
            pieces = [self._cut(box) for box in boxes]
            return self.work.start(pieces[0] if len(pieces) == 1 else torch.cat(pieces))

        return _Batch(boxes, _if_memory(start))

    def _finished(self, batch: _Batch) -> Iterator[tuple[Box, Tensor]]:
        """Each tile without its halo; what did not work together is done tile by tile."""
        boxes = batch.boxes
        done = _if_memory(batch.wait) if batch.wait is not None else None
        if done is not None:
            larger, usable = done
            for index, box in enumerate(boxes):
                result = self._inner(larger[index : index + 1], box) if usable[index] else self._again(box)
                yield box, result
        elif len(boxes) == 1:
            yield boxes[0], self._in_quarters(boxes[0])
        else:
            for box in boxes:
                yield box, self.one(box)

    def _again(self, box: Box) -> Tensor:
        result = _if_memory(lambda: self.work.again(self._cut(box)))
        return self._in_quarters(box) if result is None else self._inner(result, box)

    def _in_quarters(self, box: Box) -> Tensor:
        """A tile for which there was no memory, in parts or elsewhere."""
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        if accelerator is not None:
            torch.get_device_module(accelerator).empty_cache()
        parts, tiling = box.quarters(), self.tiling
        if (box.area <= 16 * 16 or tiling.halo is None) and self.work.spare is not None:
            return self._inner(self.work.spare(self._cut(box)), box)
        if tiling.whole:
            raise OutOfMemoryError(
                f"not enough memory for a picture of {box.right} x {box.bottom} pixels, and this model takes "
                "pictures whole; reduce the picture first, close other programs, or use another --device"
            )
        if len(parts) == 1 or tiling.halo is None:
            raise OutOfMemoryError(
                f"not enough memory for a tile of {box.right - box.left} x {box.bottom - box.top} pixels; "
                "close other programs, use smaller tiles (--tile) or a smaller generator, or another --device"
            )
        done = {part: self.one(part) for part in parts}
        bands = [
            torch.cat([d for part, d in done.items() if part.top == top], dim=-1)
            for top in sorted({part.top for part in parts})
        ]
        return torch.cat(bands, dim=-2)

    def _seen(self, box: Box) -> Box:
        """A tile with its halo."""
        height, width = self.image.shape[-2:]
        halo = self.tiling.halo if self.tiling.halo is not None else max(height, width)
        return box.grown(halo, self.tiling.align, height, width)

    def _cut(self, box: Box) -> Tensor:
        seen = self._seen(box)
        return self.image[..., seen.top : seen.bottom, seen.left : seen.right]

    def _inner(self, larger: Tensor, box: Box) -> Tensor:
        """What was made of a tile and its halo, without that of the halo."""
        seen, scale = self._seen(box), self.tiling.scale
        top, left = (box.top - seen.top) * scale, (box.left - seen.left) * scale
        rows, columns = (box.bottom - box.top) * scale, (box.right - box.left) * scale
        return larger[..., top : top + rows, left : left + columns]


def _if_memory(action: Callable[[], T]) -> T | None:
    """What an action gives; None if memory ran out, with all that it had taken free again."""
    try:
        return action()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
