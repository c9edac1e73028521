"""Crops for training out of shards that are read from end to end, wherever they lie: `open_shards`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from kornia_srgan.data.batch import CropBatch
from kornia_srgan.data.crop_decoding import ignore_interrupt
from kornia_srgan.data.lane_crops import LaneDataset, StreamCrop, StreamPlan, StreamPosition
from kornia_srgan.data.lanes import Bookmark, Due, lanes_of
from kornia_srgan.data.members import read_images
from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.data.remote import ShardReader, expand_shards
from kornia_srgan.data.sampling import share_of
from kornia_srgan.errors import ConfigError, DataError, ImageError
from kornia_srgan.network import last_part

logger = logging.getLogger("kornia_srgan")


class StreamSource:
    """Crops out of streams of shards; a `StreamedSource`.

    The crops depend on the seed, the shards and the number of processes, not on that of workers.
    """

    def __init__(self, plan: StreamPlan, device: torch.device, *, workers: int) -> None:
        self.plan = plan
        self.device = device
        self.workers = workers
        self.num_images = 0
        self.epoch_samples = 0
        self._failures: dict[str, None] = {}
        self._at = StreamPosition(0, 0, ())

    @property
    def skipped(self) -> tuple[Path, ...]:
        """Images and archives found damaged so far."""
        return tuple(map(Path, self._failures))

    @property
    def fingerprint(self) -> str:
        """See `CropSource.fingerprint`; shards count by their names alone, so they may move."""
        plan = self.plan
        names = [last_part(url) for url in plan.shards]
        said = repr((plan.crop, plan.crops_per_image, plan.seed, plan.window, names, plan.pixels))
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()

    @property
    def position(self) -> dict[str, Any]:
        """See `StreamedSource.position`."""
        return asdict(self._at)

    def restore(self, position: dict[str, Any]) -> None:
        """See `StreamedSource.restore`."""
        lanes = tuple(Bookmark(**{**lane, "last": Due(**lane["last"])}) for lane in position["lanes"])
        self._at = StreamPosition(position["step"], position["samples"], lanes)

    def batches(
        self, start: int, stop: int, *, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[CropBatch]:
        """See `CropSource.batches`."""
        count = lanes_of(len(self.plan.shards), world_size)
        first, last = share_of(0, batch_size, rank, world_size)
        unread = 0
        if self._at.step != start or len(self._at.lanes) not in (0, count):
            unread, self._at = start * (last - first), StreamPosition(start, 0, ())
        at = self._at = replace(self._at, lanes=self._at.lanes or (Bookmark(),) * count)
        crops = iter(self._loader(at, last - first, rank=rank, world_size=world_size))
        try:
            for _ in range(unread):
                self._take(next(crops))
            for step in range(start, stop):
                batch = [self._take(next(crops)) for _ in range(first, last)]
                self._at = replace(self._at, step=step + 1)
                yield self._stack(batch)
        finally:
            del crops  # an error keeps this frame; the garbage collector would need 5 s to end the workers

    def _loader(
        self, at: StreamPosition, share: int, *, rank: int, world_size: int
    ) -> DataLoader[StreamCrop]:
        workers = 1 << (min(self.workers, len(at.lanes)).bit_length() - 1) if self.workers else 0
        return DataLoader(
            LaneDataset(self.plan, at, rank=rank, world_size=world_size),
            batch_size=None,
            num_workers=workers,
            collate_fn=_as_it_is,
            prefetch_factor=2 * -(-share // workers) if workers else None,
            worker_init_fn=ignore_interrupt,
            generator=torch.Generator(),  # the loader seeds its workers from it, not from the global one
        )

    def _take(self, crop: StreamCrop) -> StreamCrop:
        if crop.error is not None:
            raise crop.error
        new = [message for message in dict.fromkeys(crop.failures) if message not in self._failures]
        if new:
            self._failures.update(dict.fromkeys(new))
            logger.warning("left out of the stream: %s", "; ".join(new))
        lanes = list(self._at.lanes)
        lanes[self._at.samples % len(lanes)] = crop.after
        self._at = replace(self._at, samples=self._at.samples + 1, lanes=tuple(lanes))
        return crop

    def _stack(self, batch: list[StreamCrop]) -> CropBatch:
        paired = tuple(i for i, crop in enumerate(batch) if crop.lr is not None)
        smalls = [crop.lr for crop in batch if crop.lr is not None]
        return CropBatch(
            self._to_device(np.stack([crop.hr for crop in batch])),
            tuple(crop.seed for crop in batch),
            self._to_device(np.stack(smalls)) if smalls else None,
            paired,
        )

    def _to_device(self, images: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(images)
        tensor = tensor.pin_memory() if self.device.type == "cuda" else tensor
        return tensor.to(self.device, non_blocking=True)


def _as_it_is(crop: Any) -> Any:
    return crop


def open_shards(
    shards: Iterable[str],
    *,
    crop: int,
    scale: int = 4,
    workers: int = 2,
    crops_per_image: int = 1,
    shuffle_buffer: int = 1000,
    seed: int = 0,
    device: torch.device | str = "cpu",
    pixels: PixelFormat = RGB,
) -> StreamSource:
    """Open tar shards of webdataset that are read from end to end, as a source of square crops.

    In an epoch each image is drawn `crops_per_image` times in a row, by one process. `0001.hr.png` and
    `0001.lr.png` in a shard are a pair; other images stand alone. What cannot be decoded is named once in the
    log ("kornia_srgan") and left out.

    Args:
        shards: Addresses that fsspec knows (`s3://`, `https://`, `hf://`), paths, or commands after `pipe:`
            that write a tar archive; `{000..099}` stands for a hundred of them.
        crop: Side of an HR crop in pixels.
        scale: How much larger HR of pairs is.
        workers: Processes that fetch and decode; 0 does it in this one.
        crops_per_image: Consecutive crops of one image.
        shuffle_buffer: Images that are held to be mixed, over all processes.
        seed: Crops, their order and the samples' seeds follow from it.
        device: Where batches are wanted.
        pixels: What is read of each file.

    Raises:
        MissingExtraError: If the packages for it are missing; they are the extra `remote`.
        ConfigError: If an address holds a password, or the crop is not a multiple of the scale.
        DataError: If the first or last shard is not there, may not be read or is no archive of images.
        NetworkError: If a server fails time and again.
    """
    if crop % scale:
        raise ConfigError(
            f"crops of {crop} pixels are not a multiple of scale {scale}, which pairs need", where="crop"
        )
    urls = tuple(expand_shards(shards))
    if not urls:
        raise DataError("no shard was given; name at least one", where="shards")
    plan = StreamPlan(urls, crop, scale, crops_per_image, seed, shuffle_buffer, pixels)
    _look(plan)
    return StreamSource(plan, torch.device(device), workers=workers)


def _look(plan: StreamPlan) -> None:
    """Check that the first shard has an image and the last is there, which a wrong number would not be.

    Raises:
        DataError: If not.
        NetworkError: If a server fails time and again.
    """
    first, last = plan.shards[0], plan.shards[-1]
    try:
        found = next(read_images(first, plan.pixels), None)
    except ImageError as error:
        raise DataError(str(error), where=first) from error
    if found is None:
        raise DataError(f"no images in shard '{first}'", where=first)
    reader = ShardReader(last)
    try:
        reader.read(1)
    except OSError as error:
        raise reader.failure or error from error
    finally:
        reader.close()
