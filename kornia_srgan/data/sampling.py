"""Decides which crop sample number k is. It depends on the seed and k alone, so no random state is saved.

Samples are numbered over the whole run. Each unit is one visit to an image, from which `crops_per_image`
consecutive samples are taken: sample k belongs to unit k // crops_per_image. An epoch visits all units in
random order. With the weighting `area`, an image has one unit for each whole crop that fits into it; with
`uniform`, it has one.
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
    """Consecutive samples of a plan.

    All attributes are arrays of shape `(N,)`, one value for each sample.

    Attributes:
        images: Index of the image, int64.
        firsts: Index of the first image that may replace a damaged one, int64.
        counts: How many images may replace it, from the first one on, int64.
        spares: Which of these to try first, counted from the first one, int64.
        rows: 64 random bits for the crop's row, uint64.
        columns: 64 random bits for the crop's column, uint64.
        seeds: A seed for augmentations, below 2**63, uint64.
    """

    images: np.ndarray
    firsts: np.ndarray
    counts: np.ndarray
    spares: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    seeds: np.ndarray

    def corner(self, i: int, height: int, width: int, crop: int, grid: int = 1) -> tuple[int, int]:
        """Row and column of the top left corner of crop i in its image; see `corner_of`."""
        return corner_of(int(self.rows[i]), int(self.columns[i]), height, width, crop, grid)

    def good(self, bad: Sequence[bool] | np.ndarray) -> np.ndarray:
        """Index of each sample's image, with a good one in place of a bad one.

        The replacement is the first good image, from the sample's spare on.

        Args:
            bad: Whether each image is damaged, by index.

        Returns:
            `(N,)`, int64.

        Raises:
            DataError: If all images that may replace a bad one are bad too.
        """
        images = self.images.copy()
        for i in np.flatnonzero(np.asarray(bad)[images]):
            images[i] = self.good_image(int(i), bad)
        return images

    def good_image(self, i: int, bad: Sequence[bool] | np.ndarray) -> int:
        """As `good`, for sample i alone."""
        image, first, count = int(self.images[i]), int(self.firsts[i]), int(self.counts[i])
        for step in range(count):
            if not bad[image]:
                return image
            image = first + (int(self.spares[i]) + step) % count
        if bad[image]:
            raise DataError(f"none of the {count} images can be decoded")
        return image


def corner_of(row: int, column: int, height: int, width: int, crop: int, grid: int = 1) -> tuple[int, int]:
    """Row and column of a crop's top left corner. Every position on the grid is equally likely.

    Args:
        row: 64 random bits.
        column: 64 random bits.
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.
        crop: Side of the crop, in pixels; at most the smaller side of the image.
        grid: Rows and columns are multiples of this many pixels.
    """
    return row % ((height - crop) // grid + 1) * grid, column % ((width - crop) // grid + 1) * grid


def draw_crop(seed: int, k: int) -> tuple[int, int, int]:
    """Draw 64 random bits for the row of crop number k, 64 for its column, and its seed, below 2**63."""
    row, column, own = (int(draw_numbers(seed, s, np.array([k]))[0]) for s in (_ROW, _COLUMN, _SEED))
    return row, column, own >> 1


class CropPlan:
    """The order of samples over a run.

    Args:
        sizes: Height and width of each image, in pixels.
        crop: Side of a crop, in pixels.
        crops_per_image: How many consecutive samples are taken from one image.
        seed: The seed. Equal plans with equal seeds give equal samples.
        weighting: How often an image is visited in an epoch. `area`: once for each whole crop that fits into
            it, so all parts of all images are seen about equally often. `uniform`: once.
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
        """The number of samples in one epoch."""
        return len(self._units) * self.crops_per_image

    def samples(self, start: int, stop: int) -> Samples:
        """The samples number `start` to `stop - 1`."""
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
            # Sorting by hashes gives the same order in every version of numpy; Generator.permutation may not.
            units = np.arange(len(self._units), dtype=np.uint64)
            keys = draw_numbers(self.seed, _SHUFFLE, units + np.uint64(epoch * 2**40 % 2**64))
            self._epoch = (epoch, self._units[np.argsort(keys, kind="stable")])
        return self._epoch[1]


class MixedPlan:
    """Mixes the samples of two plans in a fixed proportion.

    Each plan goes on with its own next sample. Sample k still depends on the seeds and k alone, and any
    stretch of samples keeps the proportion to within one sample. Images of the second plan are numbered after
    those of the first.

    Args:
        alone: The plan of HR images without LR.
        pairs: The plan of pairs, with the same crop.
        share: The share of samples that are pairs, in [0, 1]; rounded to a millionth.
    """

    def __init__(self, alone: CropPlan, pairs: CropPlan, share: float) -> None:
        self.alone, self.pairs = alone, pairs
        self.crop = alone.crop
        self._millionths = round(share * _MILLION)
        self.share = self._millionths / _MILLION

    @property
    def epoch_samples(self) -> int:
        """The number of samples after which each plan has been through its images."""
        parts = ((self.alone, _MILLION - self._millionths), (self.pairs, self._millionths))
        return max(-(-plan.epoch_samples * _MILLION // part) for plan, part in parts if part)

    def samples(self, start: int, stop: int) -> Samples:
        """The samples number `start` to `stop - 1`."""
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
    """The samples of a rank in a step: the number of the first, and that after the last.

    Args:
        step: The step, from 0.
        batch_size: Samples of all ranks together.
        rank: The rank, from 0.
        world_size: The number of ranks.
    """
    first = step * batch_size
    return first + rank * batch_size // world_size, first + (rank + 1) * batch_size // world_size


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """A seed, below 2**63, for other random choices in a step; different on every rank."""
    rank_key = seed * 1_000_003 + rank
    return int(draw_numbers(rank_key, _STEP, np.array([step]))[0] >> np.uint64(1))
