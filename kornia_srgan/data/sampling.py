"""Which crop sample number k is: a pure function of (seed, k), without any random state to save.

Samples are numbered over the whole run. Sample k belongs to unit k // crops_per_image; a unit is one image.
An epoch is a permutation of all units, in which an image appears once for each whole crop that fits into it
(`area`) or once (`uniform`). The crop's position in the image follows from k alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kornia_srgan.rng import draw

Weighting = Literal["area", "uniform"]

_SHUFFLE, _ROW, _COLUMN, _SEED, _SPARE, _STEP = range(1, 7)


@dataclass(frozen=True)
class Samples:
    """Consecutive samples of a plan; arrays of equal length.

    Attributes:
        images: Index of each sample's image.
        spares: Where to start looking for another image, should that one turn out to be damaged.
        rows: 64 random bits for the crop's row.
        columns: 64 random bits for the crop's column.
        seeds: One seed per sample, below 2**63, for augmentations.
    """

    images: np.ndarray
    spares: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    seeds: np.ndarray

    def corner(self, i: int, height: int, width: int, crop: int) -> tuple[int, int]:
        """Top left corner of crop i in an image of that size, each position equally likely."""
        return int(self.rows[i]) % (height - crop + 1), int(self.columns[i]) % (width - crop + 1)


class CropPlan:
    """The order of samples over a run.

    Args:
        sizes: Height and width of each image.
        crop: Side of a crop.
        crops_per_image: Consecutive samples taken from one image.
        seed: Everything follows from it.
        weighting: `area`: per epoch an image is drawn once for each whole crop that fits into it, so that
            every part of every photograph is seen about equally often; `uniform`: once.
    """

    def __init__(
        self,
        sizes: Sequence[tuple[int, int]],
        *,
        crop: int,
        crops_per_image: int = 1,
        seed: int = 0,
        weighting: Weighting = "area",
    ) -> None:
        times = [max(1, (h // crop) * (w // crop)) if weighting == "area" else 1 for h, w in sizes]
        self.num_images = len(sizes)
        self.crop = crop
        self.crops_per_image = crops_per_image
        self.seed = seed
        self.weighting = weighting
        self._units = np.repeat(np.arange(len(sizes), dtype=np.int64), times)
        self._epoch: tuple[int, np.ndarray] = (-1, self._units)

    @property
    def epoch_samples(self) -> int:
        """Samples in one epoch."""
        return len(self._units) * self.crops_per_image

    def samples(self, start: int, stop: int) -> Samples:
        """Samples number `start` to `stop` - 1."""
        k = np.arange(start, stop, dtype=np.int64)
        unit = k // self.crops_per_image
        epochs, within = unit // len(self._units), unit % len(self._units)
        images = np.empty(len(k), np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            images[here] = self._shuffled(int(epoch))[within[here]]
        return Samples(
            images=images,
            spares=(draw(self.seed, _SPARE, unit) % np.uint64(self.num_images)).astype(np.int64),
            rows=draw(self.seed, _ROW, k),
            columns=draw(self.seed, _COLUMN, k),
            seeds=draw(self.seed, _SEED, k) >> np.uint64(1),
        )

    def local(self, step: int, batch_size: int, rank: int, world_size: int) -> Samples:
        """The part of step `step`'s global batch that belongs to a rank."""
        first = step * batch_size
        return self.samples(
            first + rank * batch_size // world_size, first + (rank + 1) * batch_size // world_size
        )

    def _shuffled(self, epoch: int) -> np.ndarray:
        if (
            self._epoch[0] != epoch
        ):  # sorting by hashes: the same on every numpy, unlike Generator.permutation
            keys = draw(self.seed, _SHUFFLE, np.arange(len(self._units)) + epoch * 2**40)
            self._epoch = (epoch, self._units[np.argsort(keys, kind="stable")])
        return self._epoch[1]


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """A seed below 2**63 for whatever else is drawn in a step, different on every rank."""
    rank_key = seed * 1_000_003 + rank
    return int(draw(rank_key, _STEP, np.array([step]))[0] >> np.uint64(1))
