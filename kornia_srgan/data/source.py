"""Crops for training out of folders of images: `open_crops`."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from kornia_srgan.data.cache import PixelStore, stored_bytes
from kornia_srgan.data.decode import ImageFile, StepDataset, ignore_interrupt
from kornia_srgan.data.images import read_size
from kornia_srgan.data.sampling import CropPlan, Samples, Weighting
from kornia_srgan.data.shards import Located, locate_images
from kornia_srgan.errors import DataError, ImageError
from kornia_srgan.memory import free_memory, free_ram

logger = logging.getLogger("kornia_srgan")

CacheMode = Literal["auto", "none", "ram", "device"]
_NAMED = 10  # damaged files that one line of the log names


@dataclass(frozen=True)
class CropBatch:
    """Crops of one step.

    Attributes:
        images: uint8 `(B, 3, crop, crop)` RGB on the device.
        seeds: One seed per crop for its augmentations; like the crop a function of (seed, sample number).
    """

    images: Tensor
    seeds: tuple[int, ...]


class CropSource(Protocol):
    """An endless, numbered series of crops."""

    @property
    def num_images(self) -> int:
        """Image files that can be decoded, as far as is known."""
        ...

    @property
    def skipped(self) -> tuple[Path, ...]:
        """Files found damaged so far."""
        ...

    @property
    def epoch_samples(self) -> int:
        """Crops in one pass over the data."""
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


class _Source:
    """What the sources share: the plan, and the list of damaged files, each named once."""

    mode: CacheMode

    def __init__(self, files: Sequence[ImageFile], plan: CropPlan, device: torch.device) -> None:
        self.files = files
        self.plan = plan
        self.device = device
        self._failures: dict[Path, str] = {}
        self._unopened = 0

    @property
    def num_images(self) -> int:
        return len(self.files) + self._unopened - len(self._failures)

    @property
    def skipped(self) -> tuple[Path, ...]:
        return tuple(self._failures)

    @property
    def epoch_samples(self) -> int:
        return self.plan.epoch_samples

    @property
    def fingerprint(self) -> str:
        plan = self.plan
        facts = [(f.located.name.name, f.height, f.width) for f in self.files]
        said = repr((plan.crop, plan.crops_per_image, plan.seed, plan.weighting, facts))
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()

    def report(self, failures: Iterable[tuple[Path, str]]) -> None:
        """Log files that were not known to be damaged, in one line."""
        new = {path: message for path, message in failures if path not in self._failures}
        if not new:
            return
        self._failures.update(new)
        reasons = [m.removeprefix("cannot read image ") for m in new.values()]
        more = f"; and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
        logger.warning(
            "skipped %d image file%s that cannot be decoded: %s%s",
            len(reasons),
            "" if len(reasons) == 1 else "s",
            "; ".join(reasons[:_NAMED]),
            more,
        )

    def add_unopened(self, failures: Sequence[tuple[Path, str]]) -> None:
        """Count files that were left out of `files` because their header could not be read."""
        self._unopened = len(failures)


class CachedSource(_Source):
    """Crops out of images decoded once, in RAM or on the device."""

    def __init__(
        self, files: Sequence[ImageFile], plan: CropPlan, device: torch.device, *, on_device: bool
    ) -> None:
        super().__init__(files, plan, device)
        self.mode = "device" if on_device else "ram"
        self.store = PixelStore(files, crop=plan.crop, device=device if on_device else torch.device("cpu"))

    def batches(
        self, start: int, stop: int, *, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[CropBatch]:
        """See `CropSource.batches`."""
        _check_share(batch_size, rank, world_size)
        pin = self.device.type == "cuda" and self.mode == "ram"
        for step in range(start, stop):
            samples: Samples = self.plan.local(step, batch_size, rank, world_size)
            crops = self.store.crops(samples, pin=pin)
            yield CropBatch(crops.to(self.device, non_blocking=True), tuple(samples.seeds.tolist()))


class DecodingSource(_Source):
    """Crops decoded from the files as they are needed, in worker processes."""

    mode: CacheMode = "none"

    def __init__(
        self, files: Sequence[ImageFile], plan: CropPlan, device: torch.device, *, workers: int
    ) -> None:
        super().__init__(files, plan, device)
        self.workers = workers

    def batches(
        self, start: int, stop: int, *, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[CropBatch]:
        """See `CropSource.batches`."""
        _check_share(batch_size, rank, world_size)
        dataset = StepDataset(self.files, self.plan, batch_size=batch_size, rank=rank, world_size=world_size)
        dataset.bad[[i for i, f in enumerate(self.files) if f.located.name in self._failures]] = True
        loader = DataLoader(
            dataset,
            batch_size=None,  # an item is a whole step
            sampler=range(start, stop),
            num_workers=min(self.workers, max(0, stop - start)),
            pin_memory=self.device.type == "cuda",
            worker_init_fn=ignore_interrupt,
            generator=torch.Generator(),  # the loader seeds its workers from it, not from the global one
        )
        for crops, seeds, failures in loader:
            self.report((self.files[i].located.name, message) for i, message in failures)
            yield CropBatch(crops.to(self.device, non_blocking=True), tuple(seeds.tolist()))


def _check_share(batch_size: int, rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise DataError(f"rank {rank} does not exist among {world_size} processes")
    if batch_size < world_size:
        raise DataError(f"batch size {batch_size} is smaller than the number of processes, {world_size}")


def open_crops(
    folders: Iterable[str | Path] | str | Path,
    *,
    crop: int,
    cache: CacheMode = "auto",
    workers: int = 2,
    crops_per_image: int = 1,
    seed: int = 0,
    device: torch.device | str = "cpu",
    weighting: Weighting = "area",
) -> CachedSource | DecodingSource:
    """Open folders of images as a source of square crops.

    Images may also lie in plain tar archives (webdataset shards), which are read in place.

    Every cache mode gives the same bytes for the same seed and step. Images smaller than a crop are mirrored
    at their lower and right edge. Files that cannot be decoded are named once in the log ("kornia_srgan")
    and replaced by others.

    Args:
        folders: One folder or several, searched with the folders in them.
        crop: Side of a crop in pixels.
        cache: `none` decodes in worker processes as crops are needed; `ram` and `device` decode everything
            once and keep it there as uint8; `auto` takes the device if that is CUDA and the images fit into a
            quarter of its free memory, else RAM if they fit into half of what is free, else `none`.
        workers: Decoding processes of mode `none`; 0 decodes in this process.
        crops_per_image: Consecutive crops taken from one image: fewer decodings, more alike batches.
        seed: Crops, their order and the samples' seeds follow from it.
        device: Where batches are wanted.
        weighting: `area` draws an image in proportion to the whole crops that fit into it, `uniform` all
            images alike.

    Raises:
        DataError: If a folder is missing, no image can be decoded, or the images do not fit into the
            cache that was asked for.
    """
    device = torch.device(device)
    located, broken_archives = locate_images(folders)
    files, unopened = _scan(located)
    unopened = broken_archives + unopened
    if not files:
        raise DataError(f"none of the {len(unopened)} image files can be read, for example {unopened[0][1]}")
    plan = CropPlan(
        [(f.height, f.width) for f in files],
        crop=crop,
        crops_per_image=crops_per_image,
        seed=seed,
        weighting=weighting,
    )
    mode = choose_cache(cache, stored_bytes(files, crop), device)
    if mode == "none":
        source = DecodingSource(files, plan, device, workers=workers)
        failures = unopened
    else:
        source = CachedSource(files, plan, device, on_device=mode == "device")
        failures = unopened + [(files[i].located.name, message) for i, message in source.store.failures]
    source.add_unopened(unopened)
    source.report(failures)
    if source.num_images == 0:
        raise DataError(f"none of the {len(failures)} image files can be decoded, e.g. {failures[0][1]}")
    return source


def _scan(images: Sequence[Located]) -> tuple[list[ImageFile], list[tuple[Path, str]]]:
    """Read all headers, in order."""

    def scan(image: Located) -> ImageFile | str:
        try:
            return ImageFile(image, *read_size(image.open(), image.name))
        except ImageError as error:
            return str(error)

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        results = list(zip(images, pool.map(scan, images), strict=True))
    return (
        [r for _, r in results if isinstance(r, ImageFile)],
        [(image.name, r) for image, r in results if isinstance(r, str)],
    )


def choose_cache(cache: CacheMode, size: int, device: torch.device) -> CacheMode:
    """The mode that `auto` means for `size` bytes, or the mode asked for if it fits.

    Raises:
        DataError: If the images do not fit where they were asked to be.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # each process of a machine keeps a copy
    ram = free_ram() // max(1, here)
    if cache == "auto":
        if device.type == "cuda" and size <= free_memory(device) // 4:
            return "device"
        return "ram" if size <= ram // 2 else "none"
    free = {"none": size, "ram": ram, "device": free_memory(device) if device.type == "cuda" else size}
    if size > free[cache]:
        raise DataError(
            f"data.cache '{cache}' needs {size / 2**30:.1f} GiB for the decoded images and "
            f"{free[cache] / 2**30:.1f} GiB are free; use 'none', 'ram' or 'auto'"
        )
    return cache
