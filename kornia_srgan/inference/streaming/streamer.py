"""Enlarges pictures row by row; the result is checked against the generator before it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kornia_srgan.contracts import Geometry
from kornia_srgan.geometry import bands_of
from kornia_srgan.inference.streaming.row_graph import NotByRowsError, RowGraph, trace_rows
from kornia_srgan.inference.streaming.row_stream import RowStream
from kornia_srgan.ops.padding import pad_to_multiple

_STRIP_PIXELS = 3 * 2**14  # of the picture, handed in at once: features of 64 channels are 12 MB in float32
_FEWEST, _MOST = 8, 64
_CHECKED = ((5, 12), (1, 24))  # width of a picture, rows at once
_OFF = {torch.float32: 1e-3}  # of the range, by dtype; half precision rounds in other places
_OFF_ELSE = 0.05


@dataclass(frozen=True)
class Streamer:
    """Enlarges pictures in strips of rows over the full width; no row is computed twice.

    Attributes:
        graph: The generator as row operations.
        scale: The generator's scale.
        align: The picture is padded to multiples of this.
        bytes_per_column: Bytes that the layers keep per pixel of the picture's width.
        generator: The generator.
        geometry: Its geometry.
    """

    graph: RowGraph
    scale: int
    align: int
    bytes_per_column: int
    generator: nn.Module
    geometry: Geometry

    def __reduce__(self) -> Any:
        """Pickle the generator; it is converted again."""
        return streamer_of, (self.generator, self.geometry)

    def memory(self, width: int) -> int:
        """Bytes that the layers keep for a picture of that width."""
        return self.bytes_per_column * width

    def enlarge(self, image: Tensor, prepare: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        """Yield the enlarged picture from top to bottom, as the generator returns it.

        Args:
            image: `(1, C, h, w)` of any dtype.
            prepare: Converts rows to the generator's input, channels-last.

        Yields:
            `(1, C, rows, scale*w)`.
        """
        rows = self.step(image.shape[-1])
        return _enlarge(self.graph, image, prepare, self.scale, self.align, rows)[1]

    @property
    def reach(self) -> int:
        """Rows above and below that a row depends on."""
        return self.geometry.halo or 0

    def step(self, width: int) -> int:
        """Rows that are handed in at once, of a picture of that width."""
        return max(_FEWEST, min(_MOST, _STRIP_PIXELS // width)) // 4 * 4


def streamer_of(generator: nn.Module, geometry: Geometry) -> Streamer | None:
    """Convert a generator to row operations; None if that is not possible.

    The traced operations are compared with the generator on noise of odd sizes, because tracing may miss
    something.

    Args:
        generator: On the CPU, in evaluation mode.
        geometry: Its geometry; it must not need the whole picture.
    """
    if geometry.halo is None:
        return None
    try:
        graph = trace_rows(generator)
    except NotByRowsError:
        return None
    peak = 0
    for width, rows in _CHECKED:
        found = _same(generator, graph, geometry, width, -(-rows // geometry.align) * geometry.align)
        if found is None:
            return None
        peak = max(peak, found // width)
    return Streamer(graph, geometry.scale, geometry.align, peak, generator, geometry)


@torch.inference_mode()
def _same(generator: nn.Module, graph: RowGraph, geometry: Geometry, width: int, rows: int) -> int | None:
    """The peak size in bytes if both give the same picture, otherwise None."""
    reference = next(generator.parameters(), torch.zeros(()))
    shape = (1, bands_of(generator), 2 * (geometry.halo or 0) + 37, width)
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    image = channels_last(noise.to(reference.dtype))
    expected = generator(image).float()
    flow, bands = _enlarge(graph, image, channels_last, geometry.scale, geometry.align, rows)
    try:
        result = torch.cat(list(bands), dim=-2).float()
    except (RuntimeError, ValueError, IndexError):  # shapes that only a whole picture has
        return None
    if result.shape != expected.shape:
        return None
    known = expected.isfinite()
    off = (result - expected).where(known, 0).abs().max()
    limit = _OFF.get(reference.dtype, _OFF_ELSE) * max(1.0, float(expected.where(known, 0).abs().max()))
    return flow.peak if off <= limit else None


def channels_last(rows: Tensor) -> Tensor:
    """Convert to channels-last, the fastest layout of convolutions on a CPU."""
    return rows.contiguous(memory_format=torch.channels_last)


def _enlarge(
    graph: RowGraph,
    image: Tensor,
    prepare: Callable[[Tensor], Tensor],
    scale: int,
    align: int,
    rows: int,
) -> tuple[RowStream, Iterator[Tensor]]:
    height, width = image.shape[-2:]
    if height % align or width % align:
        image, prepare = pad_to_multiple(prepare(image), align), channels_last
    flow = RowStream(graph, image.shape[-2])

    def bands() -> Iterator[Tensor]:
        left = scale * height
        for top in range(0, image.shape[-2], rows):
            result = flow.feed(prepare(image[:, :, top : top + rows]))
            if result is not None and left:
                result = result[:, :, :left, : scale * width]
                left -= result.shape[-2]
                yield result

    return flow, bands()
