"""All images decoded once into one flat uint8 buffer, in RAM or on the device, and crops out of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.data.decode import ImageFile, good_image, load_for_crops
from kornia_srgan.data.sampling import Samples
from kornia_srgan.errors import ImageError


def stored_bytes(files: Sequence[ImageFile], crop: int) -> int:
    """Size of the buffer that these images need."""
    return sum(3 * _stored_pixels(f, crop) for f in files)


def _stored_pixels(file: ImageFile, crop: int) -> int:
    # A rotated image may be padded on the other side; both fit into this.
    return max(max(file.height, crop) * max(file.width, crop), crop * crop)


class PixelStore:
    """Decoded images, planar `(3, H, W)` one after the other in one uint8 tensor.

    Args:
        files: What to decode.
        crop: Side of a crop; smaller images are padded to it.
        device: Where the buffer lies.

    Attributes:
        failures: Index and message of each file that could not be decoded.
    """

    def __init__(self, files: Sequence[ImageFile], *, crop: int, device: torch.device) -> None:
        self.crop = crop
        self.device = device
        counts = np.array([3 * _stored_pixels(f, crop) for f in files], np.int64)
        self.offsets = np.concatenate(([0], np.cumsum(counts)[:-1]))
        self.heights = np.zeros(len(files), np.int64)
        self.widths = np.zeros(len(files), np.int64)
        self.pixels = torch.empty(int(counts.sum()), dtype=torch.uint8, device=device)
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:  # Pillow decodes without the GIL
            results = pool.map(self._load, range(len(files)), files)
            self.failures = [(i, message) for i, message in enumerate(results) if message]
        self.bad = self.heights == 0
        rows = torch.arange(crop, device=device)
        self._columns = rows.view(1, 1, 1, crop)
        self._rows = rows.view(1, 1, crop, 1)
        self._planes = torch.arange(3, device=device).view(1, 3, 1, 1)
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
        if self.bad.any():
            images = np.array([good_image(samples, i, self.bad) for i in range(len(images))], np.int64)
        heights, widths = self.heights[images], self.widths[images]
        ys = samples.rows % (heights - self.crop + 1).astype(np.uint64)
        xs = samples.columns % (widths - self.crop + 1).astype(np.uint64)
        first = self.offsets[images] + ys.astype(np.int64) * widths + xs.astype(np.int64)
        return first, heights * widths, widths

    def crops(self, samples: Samples, *, pin: bool = False) -> Tensor:
        """The crops of samples, uint8 `(B, 3, crop, crop)`, where the buffer lies (pinned if asked for)."""
        if self._flat is None:
            return self._gather(samples)
        return self._slice(self._flat, samples, pin=pin)

    def _slice(self, flat: np.ndarray, samples: Samples, *, pin: bool) -> Tensor:
        crop = self.crop
        out = torch.empty((len(samples.images), 3, crop, crop), dtype=torch.uint8, pin_memory=pin)
        target = out.numpy()
        for i, (first, plane, width) in enumerate(zip(*self._corners(samples), strict=True)):
            target[i] = np.lib.stride_tricks.as_strided(
                flat[first:], shape=(3, crop, crop), strides=(plane, width, 1), writeable=False
            )
        return out

    def _gather(self, samples: Samples) -> Tensor:
        layout = torch.from_numpy(np.stack(self._corners(samples)))  # (3, B), one small copy to the device
        first, plane, width = layout.to(self.device, non_blocking=True)[:, :, None, None, None].unbind(0)
        return torch.take(self.pixels, first + plane * self._planes + width * self._rows + self._columns)
