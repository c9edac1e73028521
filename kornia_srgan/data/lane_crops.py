"""The crops of a process out of its lanes, fetched and decoded by workers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from kornia_srgan.data.lanes import BARREN_EPOCHS, Bookmark, Lane
from kornia_srgan.data.members import Encoded, decode_images, read_images
from kornia_srgan.data.pixels import PixelFormat
from kornia_srgan.data.sampling import corner_of, draw_crop
from kornia_srgan.errors import DataError, ImageError, KorniaSRGANError

_MOST_DAMAGED = 10_000  # in a row


@dataclass(frozen=True)
class StreamPlan:
    """Which crops are taken of which shards; see `stream.open_shards`."""

    shards: tuple[str, ...]
    crop: int
    scale: int
    crops_per_image: int
    seed: int
    window: int
    pixels: PixelFormat


@dataclass(frozen=True)
class StreamPosition:
    """Where a process stands.

    Attributes:
        step: The step that comes next.
        samples: Crops that this process took so far; crop i is of lane i modulo their number.
        lanes: Where each lane goes on.
    """

    step: int
    samples: int
    lanes: tuple[Bookmark, ...]


@dataclass(frozen=True)
class StreamCrop:
    """What a worker hands on; with an error, nothing comes after it."""

    hr: np.ndarray
    lr: np.ndarray | None
    seed: int
    after: Bookmark
    failures: tuple[str, ...] = ()
    error: KorniaSRGANError | None = None


class LaneDataset(IterableDataset[StreamCrop]):
    """The crops of a process from a position on. Each worker reads some of the lanes.

    The loader asks its workers in turn, so crops come in the order of lanes with any number of workers that
    divides that of lanes.
    """

    def __init__(self, plan: StreamPlan, at: StreamPosition, *, rank: int, world_size: int) -> None:
        self.plan, self.at = plan, at
        self.rank, self.world_size = rank, world_size

    def __iter__(self) -> Iterator[StreamCrop]:
        """Endless; ends with an error, if there is one."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        count = len(self.at.lanes)
        lanes: dict[int, Iterator[StreamCrop]] = {}
        for sample in itertools.count(self.at.samples + worker, workers):
            here = sample % count
            if here not in lanes:
                lanes[here] = _lane_crops(
                    self.plan,
                    here * self.world_size + self.rank,
                    count * self.world_size,
                    self.at.lanes[here],
                )
            try:
                yield next(lanes[here])
            except KorniaSRGANError as error:  # as it is: the loader would make a traceback of it
                yield StreamCrop(np.empty(0), None, 0, Bookmark(), error=error)
                return


def _lane_crops(plan: StreamPlan, number: int, lanes: int, at: Bookmark) -> Iterator[StreamCrop]:
    lane = Lane(
        plan.shards,
        number,
        lanes,
        plan.seed,
        plan.window // max(1, lanes),
        partial(_read, pixels=plan.pixels),
    )
    before, good = at, at.epoch
    for drawn in lane.images(at):
        try:
            images = decode_images(drawn.image, crop=plan.crop, scale=plan.scale, pixels=plan.pixels)
        except ImageError as error:
            if drawn.after.epoch - good > BARREN_EPOCHS or len(lane.failures) > _MOST_DAMAGED:
                raise DataError(
                    f"no image of {len(plan.shards)} shards can be decoded: {error}", where=error.where
                ) from error
            lane.failures.append(str(error))
            before = drawn.after
            continue
        good = drawn.after.epoch
        for taken in range(before.taken, plan.crops_per_image):
            last = taken + 1 == plan.crops_per_image
            after = drawn.after if last else replace(before, taken=taken + 1)
            k = (drawn.count * plan.crops_per_image + taken) * lanes + number
            failures = tuple(lane.failures)
            lane.failures.clear()
            yield _cut(plan, images, k, after, failures)
        before = drawn.after


def _read(url: str, *, pixels: PixelFormat) -> Iterator[Encoded]:
    return read_images(url, pixels)


def _cut(
    plan: StreamPlan,
    images: tuple[np.ndarray, np.ndarray | None],
    k: int,
    after: Bookmark,
    failures: tuple[str, ...],
) -> StreamCrop:
    hr, lr = images
    row, column, seed = draw_crop(plan.seed, k)
    grid = 1 if lr is None else plan.scale
    y, x = corner_of(row, column, hr.shape[0], hr.shape[1], plan.crop, grid)
    small = None
    if lr is not None:
        side = plan.crop // grid
        small = _channels_first(lr[y // grid : y // grid + side, x // grid : x // grid + side])
    large = _channels_first(hr[y : y + plan.crop, x : x + plan.crop])
    return StreamCrop(large, small, seed, after, failures)


def _channels_first(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.transpose(2, 0, 1))
