"""Decodes all images once into one flat uint8 buffer, in RAM or on the device, and cuts crops from it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.data.crop_decoding import ImageFile, load_for_crops, sizes_fit, turned_apart
from kornia_srgan.data.sampling import Samples
from kornia_srgan.errors import ImageError
from kornia_srgan.processor import usable_processors


def stored_bytes(files: Sequence[ImageFile], crop: int) -> int:
    """The bytes needed to store these images and, for pairs, their LR images."""
    hr = sum(_bytes(f) * _stored_pixels(f, crop) for f in files)
    return hr + sum(_bytes(f) * _stored_pixels(f.lr, crop // f.grid) for f in files if f.lr is not None)


def _bytes(file: ImageFile) -> int:
    return file.pixels.channels * file.pixels.dtype.itemsize


def _stored_pixels(file: ImageFile, crop: int) -> int:
    # An image that EXIF rotates may be padded along the other side; reserve the larger size.
    return max(max(file.height, crop) * max(file.width, crop), crop * crop)


class PixelStore:
    """Decoded images, one after the other in one tensor, each planar `(C, H, W)`.

    Args:
        files: What to decode.
        crop: Side of a crop; smaller images are padded to it.
        device: The device of the buffer.

    Attributes:
        failures: Index and message of each file that could not be decoded.
    """

    def __init__(self, files: Sequence[ImageFile], *, crop: int, device: torch.device) -> None:
        self.crop = crop
        self.device = device
        pixels = files[0].pixels
        self.channels = pixels.channels
        counts = np.array([self.channels * _stored_pixels(f, crop) for f in files], np.int64)
        self.offsets = np.concatenate(([0], np.cumsum(counts)[:-1]))
        self.heights = np.zeros(len(files), np.int64)
        self.widths = np.zeros(len(files), np.int64)
        self.pixels = torch.empty(int(counts.sum()), dtype=pixels.dtype, device=device)
        with ThreadPoolExecutor(min(16, usable_processors())) as pool:  # Pillow decodes without the GIL
            results = pool.map(self._load, range(len(files)), files)
            self.failures = [(i, message) for i, message in enumerate(results) if message]
        self.bad = self.heights == 0
        self._grids = np.array([f.grid for f in files], np.int64)
        rows = torch.arange(crop, device=device)
        self._columns = rows.view(1, 1, 1, crop)
        self._rows = rows.view(1, 1, crop, 1)
        self._planes = torch.arange(self.channels, device=device).view(1, -1, 1, 1)
        self._flat = self.pixels.numpy() if device.type == "cpu" else None

    def _load(self, index: int, file: ImageFile) -> str | None:
        try:
            image = load_for_crops(file, self.crop)
        except ImageError as error:
            return str(error)
        planar = np.ascontiguousarray(image.transpose(2, 0, 1))
        start = int(self.offsets[index])
        self.pixels[start : start + planar.size].copy_(torch.from_numpy(planar.reshape(-1)))
        self.heights[index], self.widths[index] = image.shape[:2]
        return None

    def _corners(self, samples: Samples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        images = samples.images
        heights, widths, grids = self.heights[images], self.widths[images], self._grids[images]
        ys = samples.rows % ((heights - self.crop) // grids + 1).astype(np.uint64)
        xs = samples.columns % ((widths - self.crop) // grids + 1).astype(np.uint64)
        first = self.offsets[images] + ys.astype(np.int64) * grids * widths + xs.astype(np.int64) * grids
        return first, heights * widths, widths

    def crops(self, samples: Samples, *, pin: bool = False) -> Tensor:
        """The crops of some samples, `(B, C, crop, crop)`, on the device of the buffer.

        `pin` asks for pinned memory.
        """
        if self._flat is None:
            return self._gather(samples)
        return self._slice(self._flat, samples, pin=pin)

    def _slice(self, flat: np.ndarray, samples: Samples, *, pin: bool) -> Tensor:
        crop = self.crop
        shape = (len(samples.images), self.channels, crop, crop)
        out = torch.empty(shape, dtype=self.pixels.dtype, pin_memory=pin)
        target, step = out.numpy(), flat.itemsize
        for i, (first, plane, width) in enumerate(zip(*self._corners(samples), strict=True)):
            target[i] = np.lib.stride_tricks.as_strided(
                flat[first:],
                shape=shape[1:],
                strides=(plane * step, width * step, step),
                writeable=False,
            )
        return out

    def _gather(self, samples: Samples) -> Tensor:
        layout = torch.from_numpy(np.stack(self._corners(samples)))  # (3, B), one small copy to the device
        first, plane, width = layout.to(self.device, non_blocking=True)[:, :, None, None, None].unbind(0)
        return torch.take(self.pixels, first + plane * self._planes + width * self._rows + self._columns)


class PairStore:
    """The pixels of HR images and, for pairs, of their LR images.

    Args:
        files: What to decode; those with an LR image come last.
        crop: Side of an HR crop.
        device: The device of the buffers.

    Attributes:
        failures: Index and message of each image that, or whose LR image, could not be decoded.
    """

    def __init__(self, files: Sequence[ImageFile], *, crop: int, device: torch.device) -> None:
        smalls = [f.lr for f in files if f.lr is not None]
        self._first_pair = len(files) - len(smalls)
        self.hr = PixelStore(files, crop=crop, device=device)
        self.lr = PixelStore(smalls, crop=crop // files[-1].grid, device=device) if smalls else None
        failures = dict(self.hr.failures)
        for number in range(len(smalls)):
            assert self.lr is not None
            index = self._first_pair + number
            hr, lr = ((s.heights[i], s.widths[i]) for s, i in ((self.hr, index), (self.lr, number)))
            if index not in failures and lr[0] and not sizes_fit(hr, lr, files[index].grid):
                failures[index] = str(turned_apart(files[index]))
        for number, message in self.lr.failures if self.lr else ():
            failures.setdefault(self._first_pair + number, message)
        self.failures = sorted(failures.items())
        self.bad = np.isin(np.arange(len(files)), list(failures))

    def crops(self, samples: Samples, *, pin: bool = False) -> tuple[Tensor, Tensor | None, tuple[int, ...]]:
        """The HR crops, the LR crops of the pairs among them, and the indices of these pairs."""
        samples = replace(samples, images=samples.good(self.bad))
        hr = self.hr.crops(samples, pin=pin)
        paired = np.flatnonzero(samples.images >= self._first_pair)
        if self.lr is None or not len(paired):
            return hr, None, ()
        own = Samples(**{f.name: vars(samples)[f.name][paired] for f in fields(Samples)})
        own = replace(own, images=own.images - self._first_pair)
        return hr, self.lr.crops(own, pin=pin), tuple(paired.tolist())
