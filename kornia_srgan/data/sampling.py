"""Which crop sample number k is: a pure function of (seed, k), without any random state to save.

Samples are numbered over the whole run. Sample k belongs to unit k // crops_per_image; a unit is one image.
An epoch is a permutation of all units, in which an image appears once for each whole crop that fits into it
(`area`) or once (`uniform`). The crop's position in the image follows from k alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from kornia_srgan.errors import DataError
from kornia_srgan.rng import draw_numbers

Weighting = Literal["area", "uniform"]

_MILLION = 1_000_000
_SHUFFLE, _ROW, _COLUMN, _SEED, _SPARE, _STEP = range(1, 7)


@dataclass(frozen=True)
class Samples:
    """Consecutive samples of a plan; arrays of equal length.

    Attributes:
        images: Index of each sample's image.
        firsts: Index of the first image that may take its place, should it turn out to be damaged.
        counts: How many may, from there on.
        spares: Where among these to start looking.
        rows: 64 random bits for the crop's row.
        columns: 64 random bits for the crop's column.
        seeds: One seed per sample, below 2**63, for augmentations.
    """

    images: np.ndarray
    firsts: np.ndarray
    counts: np.ndarray
    spares: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    seeds: np.ndarray

    def corner(self, i: int, height: int, width: int, crop: int, grid: int = 1) -> tuple[int, int]:
        """Top left corner of crop i in an image of that size, each position on the grid equally likely."""
        return corner_of(int(self.rows[i]), int(self.columns[i]), height, width, crop, grid)

    def good(self, bad: Sequence[bool] | np.ndarray) -> np.ndarray:
        """Index of each sample's image; where that is bad, of the next good one from its spare on.

        Raises:
            DataError: If every image that may stand in is bad.
        """
        images = self.images.copy()
        for i in np.flatnonzero(np.asarray(bad)[images]):
            images[i] = self.good_image(int(i), bad)
        return images

    def good_image(self, i: int, bad: Sequence[bool] | np.ndarray) -> int:
        """The same for sample i alone."""
        image, first, count = int(self.images[i]), int(self.firsts[i]), int(self.counts[i])
        for step in range(count):
            if not bad[image]:
                return image
            image = first + (int(self.spares[i]) + step) % count
        if bad[image]:
            raise DataError(f"none of the {count} images can be decoded")
        return image


def corner_of(row: int, column: int, height: int, width: int, crop: int, grid: int = 1) -> tuple[int, int]:
    """Top left corner of a crop from 64 random bits for each, every position on the grid equally likely."""
    return row % ((height - crop) // grid + 1) * grid, column % ((width - crop) // grid + 1) * grid


def draw_crop(seed: int, k: int) -> tuple[int, int, int]:
    """64 random bits each for the row and the column of crop number k, and its seed below 2**63."""
    row, column, own = (int(draw_numbers(seed, s, np.array([k]))[0]) for s in (_ROW, _COLUMN, _SEED))
    return row, column, own >> 1


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
            firsts=np.zeros(len(k), np.int64),
            counts=np.full(len(k), self.num_images, np.int64),
            spares=(draw_numbers(self.seed, _SPARE, unit) % np.uint64(self.num_images)).astype(np.int64),
            rows=draw_numbers(self.seed, _ROW, k),
            columns=draw_numbers(self.seed, _COLUMN, k),
            seeds=draw_numbers(self.seed, _SEED, k) >> np.uint64(1),
        )

    def _shuffled(self, epoch: int) -> np.ndarray:
        if self._epoch[0] != epoch:
            # Sorted by hashes: the same on every numpy, unlike Generator.permutation.
            units = np.arange(len(self._units), dtype=np.uint64)
            keys = draw_numbers(self.seed, _SHUFFLE, units + np.uint64(epoch * 2**40 % 2**64))
            self._epoch = (epoch, self._units[np.argsort(keys, kind="stable")])
        return self._epoch[1]


class MixedPlan:
    """Samples of two plans in a fixed share. Images of the second are numbered after those of the first.

    Each plan goes on with its own next sample, so every k is still a function of k alone, and any stretch of
    samples holds the share to within one.

    Args:
        alone: The plan of the HR images alone.
        pairs: The plan of the pairs, with the same crop.
        share: Share of samples that are pairs, in [0, 1]; kept to a millionth.
    """

    def __init__(self, alone: CropPlan, pairs: CropPlan, share: float) -> None:
        self.alone, self.pairs = alone, pairs
        self.crop = alone.crop
        self._millionths = round(share * _MILLION)
        self.share = self._millionths / _MILLION

    @property
    def epoch_samples(self) -> int:
        """Samples until each of the two plans has been through its images."""
        parts = ((self.alone, _MILLION - self._millionths), (self.pairs, self._millionths))
        return max(-(-plan.epoch_samples * _MILLION // part) for plan, part in parts if part)

    def samples(self, start: int, stop: int) -> Samples:
        """Samples number `start` to `stop` - 1."""
        k = np.arange(start, stop + 1, dtype=np.int64)
        before = k // _MILLION * self._millionths + k % _MILLION * self._millionths // _MILLION
        is_pair = np.diff(before) > 0
        alone = self.alone.samples(start - int(before[0]), stop - int(before[-1]))
        pairs = self.pairs.samples(int(before[0]), int(before[-1]))
        pairs = replace(
            pairs, images=pairs.images + self.alone.num_images, firsts=pairs.firsts + self.alone.num_images
        )
        return Samples(**{f.name: _merged(f.name, is_pair, alone, pairs) for f in fields(Samples)})


def _merged(name: str, is_pair: np.ndarray, alone: Samples, pairs: Samples) -> np.ndarray:
    ones, others = vars(alone)[name], vars(pairs)[name]
    merged = np.empty(len(is_pair), ones.dtype)
    merged[~is_pair], merged[is_pair] = ones, others
    return merged


def share_of(step: int, batch_size: int, rank: int, world_size: int) -> tuple[int, int]:
    """The numbers of a rank's first sample in a step and of the one after its last."""
    first = step * batch_size
    return first + rank * batch_size // world_size, first + (rank + 1) * batch_size // world_size


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """A seed below 2**63 for whatever else is drawn in a step, different on every rank."""
    rank_key = seed * 1_000_003 + rank
    return int(draw_numbers(rank_key, _STEP, np.array([step]))[0] >> np.uint64(1))
