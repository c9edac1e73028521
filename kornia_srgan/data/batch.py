"""What training is given in a step, and what gives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True)
class CropBatch:
    """Crops of one step.

    Attributes:
        images: uint8 `(B, 3, crop, crop)` RGB on the device; with a stated range int16, `(B, C, crop, crop)`.
        seeds: One seed per crop for its augmentations; like the crop a function of (seed, sample number).
        lr: uint8 `(P, 3, crop / scale, crop / scale)`, LR of the crops that have their own; None for none.
        paired: Which crops these belong to, in rising order.
    """

    images: Tensor
    seeds: tuple[int, ...]
    lr: Tensor | None = None
    paired: tuple[int, ...] = ()

    def part(self, start: int, stop: int) -> CropBatch:
        """Crops `start` to `stop` - 1, with the LR that belongs to them."""
        rows = [row for row, index in enumerate(self.paired) if start <= index < stop]
        lr = self.lr[rows[0] : rows[-1] + 1] if rows and self.lr is not None else None
        paired = tuple(self.paired[row] - start for row in rows)
        return CropBatch(self.images[start:stop], self.seeds[start:stop], lr, paired)


class CropSource(Protocol):
    """An endless, numbered series of crops."""

    @property
    def num_images(self) -> int:
        """Image files that can be decoded, as far as is known; 0 for streams."""
        ...

    @property
    def skipped(self) -> tuple[Path, ...]:
        """Files found damaged so far."""
        ...

    @property
    def epoch_samples(self) -> int:
        """Crops in one pass over the data; 0 for streams."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names and sizes of the images and how they are sampled; another one means other crops."""
        ...

    def batches(
        self, start: int, stop: int, *, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[CropBatch]:
        """The batches of steps `start` to `stop` - 1; `batch_size` counts all ranks together.

        Rank r gets crops `r * batch_size // world_size` up to the next rank's of each step, so that all ranks
        together see what one process sees, and starting at step s is resuming at it.
        """
        ...


@runtime_checkable
class StreamedSource(CropSource, Protocol):
    """A source that cannot go to any step at once, only on from where it stood.

    `batches` from another step than that reads all that comes before.
    """

    @property
    def position(self) -> dict[str, Any]:
        """Where this process goes on after the last batch that it was given; plain values for JSON."""
        ...

    def restore(self, position: dict[str, Any]) -> None:
        """Go on from there: from the batch of that step, for crops of any size."""
        ...
