"""Enlarges an image in tiles without seams.

Each tile is extended by a halo as wide as the generator's receptive field, and the result of the halo is
discarded. Every remaining pixel depends on exactly the same pixels as in the whole image. At the border of
the image nothing is added; the network pads there as it would pad the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from kornia_srgan.errors import OutOfMemoryError
from kornia_srgan.inference.blending import blended_bands
from kornia_srgan.inference.box import Box

Run = Callable[[Tensor], Tensor]
"""Makes `(1, C, scale*h, scale*w)` on the CPU, in the dtype wanted, of a piece `(1, C, h, w)`."""
Started = Callable[[], Tensor | None]
"""Waits for the results of pieces, `(B, C, scale*h, scale*w)`, as `Run` makes them; None if they failed."""


class Together(Protocol):
    """Enlarges several pieces of one size at once, without waiting for them."""

    def room(self, height: int, width: int) -> int:
        """How many pieces of that size to enlarge at once, at least 1."""
        ...

    def start(self, pieces: Tensor) -> Started:
        """Start to enlarge `(B, C, h, w)`."""
        ...


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
    run: Run,
    image: Tensor,
    tiling: Tiling,
    *,
    last_resort: Run | None = None,
    together: Together | None = None,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[Tensor]:
    """Yield the enlarged image from top to bottom, one row of tiles at a time.

    Memory is bounded by the activations of one tile and one band of output, for images of any size.
    `together` takes those of its tiles and of two bands.

    Args:
        run: Enlarges one piece; if it runs out of memory, the tile is split and computed again.
        image: `(1, C, h, w)`, of any dtype that `run` takes.
        tiling: How to cut the image.
        last_resort: Enlarges a tile if `run` fails even at 16 x 16, such as on the CPU if `run` uses a GPU.
        together: Enlarges tiles of one size in a row at once, and starts a row before the one above it is
            yielded; not for tiles that are blended. What it cannot do is left to `run`.
        start: The first LR row to enlarge.
        stop: The LR row behind the last one to enlarge; None for all.

    Yields:
        `(1, C, scale*rows, scale*w)` in the dtype that `run` gives.
    """
    height, width = image.shape[-2:]
    if tiling.blend and tiling.tile and tiling.halo is not None:
        blend = min(tiling.blend, tiling.tile // 2)
        inner = replace(tiling, halo=max(0, tiling.halo - blend))

        def enlarge(box: Box) -> Tensor:
            return _enlarge(run, image, box, inner, last_resort)

        rows = tiling.rows(height, width, start, stop)
        yield from blended_bands(enlarge, rows, blend=blend, scale=tiling.scale, size=(height, width))
        return

    def alone(box: Box) -> Tensor:
        return _enlarge(run, image, box, tiling, last_resort)

    rows = tiling.rows(height, width, start, stop)
    if together is not None:
        yield from _one_ahead(_start_row(together, image, row, tiling, alone) for row in rows)
        return
    for row in rows:
        yield _side_by_side([alone(box) for box in row])


def _side_by_side(pieces: list[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=-1)


def _one_ahead(started: Iterator[Callable[[], Tensor]]) -> Iterator[Tensor]:
    """Wait for each band after the next one has been started."""
    waiting = next(started, None)
    while waiting is not None:
        following = next(started, None)
        yield waiting()
        waiting = following


def _start_row(
    together: Together, image: Tensor, row: list[Box], tiling: Tiling, alone: Callable[[Box], Tensor]
) -> Callable[[], Tensor]:
    """Start a row of tiles; the result waits for its band."""
    groups: dict[tuple[int, int], list[Box]] = {}
    for box in row:
        seen = _seen(box, image, tiling)
        groups.setdefault((seen.bottom - seen.top, seen.right - seen.left), []).append(box)
    batches: list[tuple[list[Box], Started]] = []
    for size, boxes in groups.items():
        count = together.room(*size)
        for first in range(0, len(boxes), count):
            batch = boxes[first : first + count]
            batches.append((batch, _start(together, image, batch, tiling)))

    def band() -> Tensor:
        pieces: dict[Box, Tensor] = {}
        for boxes, wait in batches:
            outputs = wait()
            for index, box in enumerate(boxes):
                pieces[box] = (
                    alone(box) if outputs is None else _inner(outputs[index, None], box, image, tiling)
                )
        return _side_by_side([pieces[box] for box in row])

    return band


def _start(together: Together, image: Tensor, boxes: list[Box], tiling: Tiling) -> Started:
    pieces = [_cut(image, _seen(box, image, tiling)) for box in boxes]
    try:
        return together.start(torch.cat(pieces))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return lambda: None


def _enlarge(run: Run, image: Tensor, box: Box, tiling: Tiling, last_resort: Run | None) -> Tensor:
    """Enlarge one tile without its halo; split it into quarters if memory runs out."""
    try:
        return _run_box(run, image, box, tiling)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Outside the handler, so that the failed attempt's tensors are free before the next one.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    parts = box.quarters()
    if (box.area <= 16 * 16 or tiling.halo is None) and last_resort is not None:
        return _run_box(last_resort, image, box, tiling)
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
    done = {part: _enlarge(run, image, part, tiling, last_resort) for part in parts}
    bands = [
        torch.cat([d for part, d in done.items() if part.top == top], dim=-1)
        for top in sorted({part.top for part in parts})
    ]
    return torch.cat(bands, dim=-2)


def _run_box(run: Run, image: Tensor, box: Box, tiling: Tiling) -> Tensor:
    return _inner(run(_cut(image, _seen(box, image, tiling))), box, image, tiling)


def _seen(box: Box, image: Tensor, tiling: Tiling) -> Box:
    """A tile with its halo."""
    height, width = image.shape[-2:]
    halo = tiling.halo if tiling.halo is not None else max(height, width)
    return box.grown(halo, tiling.align, height, width)


def _cut(image: Tensor, box: Box) -> Tensor:
    return image[..., box.top : box.bottom, box.left : box.right]


def _inner(output: Tensor, box: Box, image: Tensor, tiling: Tiling) -> Tensor:
    """What was made of a tile and its halo, without that of the halo."""
    seen = _seen(box, image, tiling)
    top, left = (box.top - seen.top) * tiling.scale, (box.left - seen.left) * tiling.scale
    rows, columns = (box.bottom - box.top) * tiling.scale, (box.right - box.left) * tiling.scale
    return output[..., top : top + rows, left : left + columns]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
