"""Decoding for crops: one image prepared for cropping, and whole steps decoded in worker processes."""

from __future__ import annotations

import signal
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from kornia_srgan.data.images import read_rgb
from kornia_srgan.data.sampling import CropPlan, Samples
from kornia_srgan.data.shards import Located
from kornia_srgan.errors import DataError, ImageError


@dataclass(frozen=True)
class ImageFile:
    """An encoded image and the height and width that its header states."""

    located: Located
    height: int
    width: int


def pad_to_crop(image: np.ndarray, crop: int) -> np.ndarray:
    """Mirror an image `(H, W, 3)` at its lower and right edge until a crop fits; larger ones are returned."""
    height, width = image.shape[:2]
    if height >= crop and width >= crop:
        return image
    pad = ((0, max(0, crop - height)), (0, max(0, crop - width)), (0, 0))
    return np.pad(image, pad, mode="symmetric")


def load_for_crops(file: ImageFile, crop: int) -> np.ndarray:
    """Decode a file to uint8 `(H, W, 3)`, at least `crop` on each side.

    Raises:
        ImageError: If it cannot be decoded, or has another size than its header said.
    """
    image = read_rgb(file.located.open(), file.located.name)
    if image.shape[0] * image.shape[1] != file.height * file.width:
        stated, found = f"{file.width}x{file.height}", f"{image.shape[1]}x{image.shape[0]}"
        raise ImageError(
            f"cannot read image '{file.located.name}': its header says {stated} pixels, it has {found}"
        )
    return pad_to_crop(image, crop)


def good_image(samples: Samples, i: int, bad: Sequence[bool] | np.ndarray) -> int:
    """The image of sample i, or where that one is bad the next good one from the sample's spare on.

    Raises:
        DataError: If every image is bad.
    """
    image, count = int(samples.images[i]), len(bad)
    for step in range(count):
        if not bad[image]:
            return image
        image = (int(samples.spares[i]) + step) % count
    if bad[image]:
        raise DataError(f"none of the {count} images can be decoded")
    return image


def ignore_interrupt(worker: int) -> None:
    """Let Ctrl-C reach the main process alone, which may want to finish its step and save."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class StepDataset(Dataset[tuple[Tensor, Tensor, list[tuple[int, str]]]]):
    """Item s is the rank's whole share of step s: crops, seeds, and files found damaged on the way.

    Which worker makes an item does not matter: it is a pure function of the plan and s.
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        plan: CropPlan,
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
        self._recent: OrderedDict[int, np.ndarray] = OrderedDict()

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor, list[tuple[int, str]]]:
        samples = self.plan.local(step, self.batch_size, self.rank, self.world_size)
        crop = self.plan.crop
        crops = np.empty((len(samples.images), 3, crop, crop), np.uint8)
        failures: list[tuple[int, str]] = []
        for i in range(len(crops)):
            image = self._decode(samples, i, failures)
            y, x = samples.corner(i, image.shape[0], image.shape[1], crop)
            crops[i] = image[y : y + crop, x : x + crop].transpose(2, 0, 1)
        return torch.from_numpy(crops), torch.from_numpy(samples.seeds.astype(np.int64)), failures

    def _decode(self, samples: Samples, i: int, failures: list[tuple[int, str]]) -> np.ndarray:
        while True:
            index = good_image(samples, i, self.bad)
            if index in self._recent:
                self._recent.move_to_end(index)
                return self._recent[index]
            try:
                image = load_for_crops(self.files[index], self.plan.crop)
            except ImageError as error:
                self.bad[index] = True
                failures.append((index, str(error)))
                continue
            self._recent[index] = image
            while len(self._recent) > self.keep_images:
                self._recent.popitem(last=False)
            return image
