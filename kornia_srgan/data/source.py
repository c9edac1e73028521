"""Opens folders of images as a source of training crops: `open_crops`."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch.utils.data import DataLoader

from kornia_srgan.data.batch import CropBatch
from kornia_srgan.data.cache import PairStore, stored_bytes
from kornia_srgan.data.crop_decoding import ImageFile, StepDataset, ignore_interrupt
from kornia_srgan.data.pairs import PairFolders, open_pairs
from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.data.sampling import CropPlan, MixedPlan, Weighting, share_of
from kornia_srgan.data.scan import scan_headers
from kornia_srgan.data.shards import Failures, locate_images
from kornia_srgan.errors import DataError
from kornia_srgan.memory import free_memory, free_ram

logger = logging.getLogger("kornia_srgan")

CacheMode = Literal["auto", "none", "ram", "device"]
Plan: TypeAlias = CropPlan | MixedPlan
_NAMED = 10  # damaged files that one line of the log names


class _Source:
    """The common part of the sources: the plan, and the damaged files, each logged once."""

    mode: CacheMode

    def __init__(self, files: Sequence[ImageFile], plan: Plan, device: torch.device) -> None:
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
        mixed = self.plan if isinstance(self.plan, MixedPlan) else None
        plan = mixed.pairs if mixed else self.plan
        assert isinstance(plan, CropPlan)
        facts = [(f.located.name.name, f.height, f.width) for f in self.files]
        pairs = [(f.lr.located.name.name, f.lr.height, f.lr.width) for f in self.files if f.lr]
        said = repr((plan.crop, plan.crops_per_image, plan.seed, plan.weighting, facts))
        if pairs:  # without them it is what it was before there were pairs
            said += repr((pairs, mixed.share if mixed else 1.0))
        if self.files[0].pixels != RGB:
            said += repr(self.files[0].pixels)
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()

    def report(self, failures: Iterable[tuple[Path, str]]) -> None:
        """Log newly found damaged files in one line."""
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
        """Also count files that were left out of `files` because of an unreadable header."""
        self._unopened = len(failures)


class CachedSource(_Source):
    """Crops from images that are decoded once and kept in RAM or on the device."""

    def __init__(
        self, files: Sequence[ImageFile], plan: Plan, device: torch.device, *, on_device: bool
    ) -> None:
        super().__init__(files, plan, device)
        self.mode = "device" if on_device else "ram"
        self.store = PairStore(files, crop=plan.crop, device=device if on_device else torch.device("cpu"))

    def batches(
        self, start: int, stop: int, *, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[CropBatch]:
        """See `CropSource.batches`."""
        _check_share(batch_size, rank, world_size)
        pin = self.device.type == "cuda" and self.mode == "ram"
        for step in range(start, stop):
            samples = self.plan.samples(*share_of(step, batch_size, rank, world_size))
            crops, lr, paired = self.store.crops(samples, pin=pin)
            lr = lr.to(self.device, non_blocking=True) if lr is not None else None
            seeds = tuple(samples.seeds.tolist())
            yield CropBatch(crops.to(self.device, non_blocking=True), seeds, lr, paired)


class DecodingSource(_Source):
    """Crops decoded from the files when needed, in worker processes."""

    mode: CacheMode = "none"

    def __init__(self, files: Sequence[ImageFile], plan: Plan, device: torch.device, *, workers: int) -> None:
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
        for hr, smalls, paired, seeds, failures in loader:
            self.report((self.files[i].located.name, message) for i, message in failures)
            lr = smalls.to(self.device, non_blocking=True) if paired else None
            crops = hr.to(self.device, non_blocking=True)
            yield CropBatch(crops, tuple(seeds.tolist()), lr, tuple(paired))


def _check_share(batch_size: int, rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise DataError(f"rank {rank} does not exist among {world_size} processes", where="rank")
    if batch_size < world_size:
        raise DataError(
            f"batch size {batch_size} is smaller than the number of processes, {world_size}",
            where="batch_size",
        )


def open_crops(
    folders: Iterable[str | Path] | str | Path = (),
    *,
    crop: int,
    pairs: Iterable[PairFolders] = (),
    scale: int = 4,
    pair_share: float = 0.5,
    cache: CacheMode = "auto",
    workers: int = 2,
    crops_per_image: int = 1,
    seed: int = 0,
    device: torch.device | str = "cpu",
    weighting: Weighting = "area",
    channels: int = 3,
    value_range: tuple[float, float] | None = None,
) -> CachedSource | DecodingSource:
    """Open folders of images as a source of square crops.

    Images in uncompressed tar archives (webdataset shards) are found too and read in place.

    Every cache mode gives the same bytes for the same seed and step. Images smaller than a crop are mirrored
    at their lower and right edge. Files that cannot be decoded are logged once (logger "kornia_srgan") and
    replaced by others.

    Args:
        folders: One or more folders; subfolders are searched too.
        crop: Side of a crop in pixels.
        pairs: Folders of HR images, each with its folder of LR images, see `data.pairs`.
        scale: The scale between LR and HR; only used for pairs.
        pair_share: The share of crops from `pairs` if `folders` are given too.
        cache: `none` decodes in worker processes when crops are needed; `ram` and `device` decode everything
            once and keep it there as uint8; `auto` uses a CUDA device if the images fit into a quarter of its
            free memory, otherwise RAM if they fit into half of the free RAM, otherwise `none`.
        workers: Number of decoding processes of mode `none`; 0 decodes in this process.
        crops_per_image: Consecutive crops from one image; more need less decoding but vary less.
        seed: Determines the crops, their order and the seeds of the samples.
        device: The device of the batches.
        weighting: `area` draws an image in proportion to the number of crops that fit into it; `uniform`
            draws all images equally often.
        channels: Channels of the images; 1 is grey.
        value_range: The stored values that become 0 and 1, for images of any depth and number of bands; crops
            are then int16, see `data.pixels.PixelFormat`. None for photographs.

    Raises:
        DataError: If a folder is missing, no image can be decoded, an LR image is missing or has the wrong
            size, or the images do not fit into the cache that was asked for.
    """
    device = torch.device(device)
    pairs = tuple(pairs)
    folders = (folders,) if isinstance(folders, str | Path) else tuple(folders)
    pixels = PixelFormat(channels, value_range)
    alone, unopened = _open_folders(folders, pixels) if folders or not pairs else ([], [])
    both, broken = open_pairs(pairs, scale=scale, crop=crop, pixels=pixels) if pairs else ([], [])
    unopened = unopened + broken

    def plan_of(files: Sequence[ImageFile], seed: int) -> CropPlan:
        sizes = [f.size for f in files]
        return CropPlan(sizes, crop=crop, crops_per_image=crops_per_image, seed=seed, weighting=weighting)

    if alone and both:
        # Another seed, so that the two plans draw differently.
        plan = MixedPlan(plan_of(alone, seed), plan_of(both, seed + 2**32), pair_share)
    else:
        plan = plan_of(alone or both, seed)
    files = alone + both
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
        raise DataError(
            f"none of the {len(failures)} image files can be decoded, e.g. {failures[0][1]}",
            where=failures[0][0],
        )
    return source


def _open_folders(folders: Sequence[str | Path], pixels: PixelFormat) -> tuple[list[ImageFile], Failures]:
    """The images in folders, and the files with an unreadable header."""
    located, broken_archives = locate_images(folders, pixels)
    files, unopened = scan_headers(located, pixels)
    unopened = broken_archives + unopened
    if not files:
        raise DataError(
            f"none of the {len(unopened)} image files can be read, for example {unopened[0][1]}",
            where=unopened[0][0],
        )
    return files, unopened


def choose_cache(cache: CacheMode, size: int, device: torch.device) -> CacheMode:
    """Resolve `auto` for `size` bytes, and check that a requested mode fits.

    Raises:
        DataError: If the images do not fit into the requested cache.
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
            f"{free[cache] / 2**30:.1f} GiB are free; use 'none', 'ram' or 'auto'",
            where="data.cache",
        )
    return cache
