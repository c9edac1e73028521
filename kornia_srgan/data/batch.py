"""A batch of crops for a training step, and the protocols of what provides it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True)
class CropBatch:
    """The crops of one step.

    Attributes:
        images: HR crops on the device: RGB, uint8, `(B, 3, crop, crop)`. If the config states a range of
            values, int16, `(B, C, crop, crop)`.
        seeds: A seed for the augmentations of each crop. It depends on the run's seed and the crop's number.
        lr: LR crops of the P crops that come from pairs, of the same dtype,
            `(P, C, crop / scale, crop / scale)`; None if there are none.
        paired: The indices in `images` of these P crops, in rising order.
    """

    images: Tensor
    seeds: tuple[int, ...]
    lr: Tensor | None = None
    paired: tuple[int, ...] = ()

    def part(self, start: int, stop: int) -> CropBatch:
        """The crops `start` to `stop - 1`, with their LR crops."""
        rows = [row for row, index in enumerate(self.paired) if start <= index < stop]
        lr = self.lr[rows[0] : rows[-1] + 1] if rows and self.lr is not None else None
        paired = tuple(self.paired[row] - start for row in rows)
        return CropBatch(self.images[start:stop], self.seeds[start:stop], lr, paired)


class CropSource(Protocol):
    """An endless series of crops, numbered from 0."""

    @property
    def num_images(self) -> int:
        """The number of images not known to be damaged; 0 for streams."""
        ...

    @property
    def skipped(self) -> tuple[Path, ...]:
        """The files that were found to be damaged so far."""
        ...

    @property
    def epoch_samples(self) -> int:
        """The number of crops in one pass over the data; 0 for streams."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies the images and how they are sampled. Equal fingerprints mean equal crops."""
        ...

    def batches(
        self, start: int, stop: int, *, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[CropBatch]:
        """Yield the batches of steps `start` to `stop - 1`.

        The crops of a step are the same for any number of ranks, which share them: all ranks together see
        what a single process would see. A run that is resumed at a step sees what it would have seen.

        Args:
            start: The first step, from 0.
            stop: The step after the last.
            batch_size: Crops of all ranks together.
            rank: The rank, from 0. It gets crops `rank * batch_size // world_size` up to those of the next.
            world_size: The number of ranks.
        """
        ...


@runtime_checkable
class StreamedSource(CropSource, Protocol):
    """A source that is read in order and cannot jump to a step.

    `batches` is fast if it begins where the last one ended, or where `restore` put it. From any other step,
    everything before that step is read first.
    """

    @property
    def position(self) -> dict[str, Any]:
        """The position after the last batch of this process, as plain JSON."""
        ...

    def restore(self, position: dict[str, Any]) -> None:
        """Go on from a position. The crops may have another size than before."""
        ...
