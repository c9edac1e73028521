"""Decodes images for cropping, one at a time or whole steps in worker processes."""

from __future__ import annotations

import signal
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.data.sampling import CropPlan, MixedPlan, Samples, share_of
from kornia_srgan.data.shards import Located
from kornia_srgan.errors import ImageError


@dataclass(frozen=True)
class ImageFile:
    """An encoded image with the height and width from its header.

    Attributes:
        lr: The LR image of a pair.
        grid: Crops start at multiples of this many pixels; for pairs, the scale.
        pixels: How it is read.
    """

    located: Located
    height: int
    width: int
    lr: ImageFile | None = None
    grid: int = 1
    pixels: PixelFormat = RGB

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the area that crops are taken from; for pairs, the area that LR covers."""
        return self.height - self.height % self.grid, self.width - self.width % self.grid


def pad_to_crop(image: np.ndarray, crop: int) -> np.ndarray:
    """Mirror a small image `(H, W, 3)` at its lower and right edge until a crop fits."""
    height, width = image.shape[:2]
    if height >= crop and width >= crop:
        return image
    pad = ((0, max(0, crop - height)), (0, max(0, crop - width)), (0, 0))
    return np.pad(image, pad, mode="symmetric")


def load_for_crops(file: ImageFile, crop: int) -> np.ndarray:
    """Decode a file to `(H, W, C)` of its `pixels.dtype`, at least `crop` on each side.

    The HR image of a pair is cropped to the area that LR covers.

    Raises:
        ImageError: If it cannot be decoded, or has another size than its header said.
    """
    image = file.pixels.read(file.located.open(), file.located.name)
    if image.shape[0] * image.shape[1] != file.height * file.width:
        stated, found = f"{file.width}x{file.height}", f"{image.shape[1]}x{image.shape[0]}"
        raise ImageError(
            f"cannot read image '{file.located.name}': its header says {stated} pixels, it has {found}",
            where=file.located.name,
        )
    height, width = (side - side % file.grid for side in image.shape[:2])
    return pad_to_crop(image[:height, :width], crop)


def load_pair_for_crops(file: ImageFile, crop: int) -> tuple[np.ndarray, np.ndarray | None]:
    """HR and, if it has one, its LR image, each `(H, W, C)` and large enough for a crop.

    Raises:
        ImageError: If one cannot be decoded, or their sizes do not match.
    """
    hr = load_for_crops(file, crop)
    if file.lr is None:
        return hr, None
    lr = load_for_crops(file.lr, crop // file.grid)
    if not sizes_fit(hr.shape, lr.shape, file.grid):
        raise turned_apart(file)
    return hr, lr


def sizes_fit(hr: Sequence[int], lr: Sequence[int], grid: int) -> bool:
    """Whether HR is `grid` times as high and wide as LR."""
    return (hr[0], hr[1]) == (lr[0] * grid, lr[1] * grid)


def turned_apart(file: ImageFile) -> ImageError:
    """The error for a pair in which EXIF rotates one image and not the other."""
    assert file.lr is not None
    return ImageError(
        f"cannot read image '{file.located.name}': its LR image '{file.lr.located.name}' is turned otherwise",
        where=file.located.name,
    )


def ignore_interrupt(worker: int) -> None:
    """Ignore Ctrl-C in a worker, so that the main process can finish its step and save."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


Step: TypeAlias = tuple[Tensor, Tensor, list[int], Tensor, list[tuple[int, str]]]
"""HR crops, LR crops of the pairs among them, which these are, seeds, damaged files."""


class StepDataset(Dataset[Step]):
    """Item s is the rank's share of step s, with the damaged files that were found.

    An item is a pure function of the plan and s, so it does not matter which worker makes it.
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        plan: CropPlan | MixedPlan,
        *,
        batch_size: int,
        rank: int,
        world_size: int,
        keep_images: int = 4,
    ) -> None:
        self.files = files
        self.plan = plan
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size
        self.bad = np.zeros(len(files), bool)
        self.keep_images = keep_images
        self._recent: OrderedDict[int, tuple[np.ndarray, np.ndarray | None]] = OrderedDict()

    def __getitem__(self, step: int) -> Step:
        samples = self.plan.samples(*share_of(step, self.batch_size, self.rank, self.world_size))
        crop = self.plan.crop
        pixels = self.files[0].pixels
        kind = np.dtype(str(pixels.dtype).removeprefix("torch."))
        crops = np.empty((len(samples.images), pixels.channels, crop, crop), kind)
        smalls: list[np.ndarray] = []
        paired: list[int] = []
        failures: list[tuple[int, str]] = []
        for i in range(len(crops)):
            index = self._decode(samples, i, failures)
            grid = self.files[index].grid
            image, lr = self._recent[index]
            y, x = samples.corner(i, image.shape[0], image.shape[1], crop, grid)
            crops[i] = image[y : y + crop, x : x + crop].transpose(2, 0, 1)
            if lr is not None:
                y, x, side = y // grid, x // grid, crop // grid
                smalls.append(lr[y : y + side, x : x + side].transpose(2, 0, 1))
                paired.append(i)
        lrs = np.stack(smalls) if smalls else np.empty((0, pixels.channels, 1, 1), kind)
        seeds = torch.from_numpy(samples.seeds.astype(np.int64))
        return torch.from_numpy(crops), torch.from_numpy(lrs), paired, seeds, failures

    def _decode(self, samples: Samples, i: int, failures: list[tuple[int, str]]) -> int:
        """Decode the image of sample i unless it is among the recent ones; return its index."""
        while True:
            index = samples.good_image(i, self.bad)
            if index in self._recent:
                self._recent.move_to_end(index)
                return index
            try:
                self._recent[index] = load_pair_for_crops(self.files[index], self.plan.crop)
            except ImageError as error:
                self.bad[index] = True
                failures.append((index, str(error)))
                continue
            while len(self._recent) > self.keep_images:
                self._recent.popitem(last=False)
            return index
