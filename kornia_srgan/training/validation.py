"""Validation during training: scores and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from kornia_srgan.atomic import replacing
from kornia_srgan.contracts import Metric, Resizer
from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.evaluation.datasets import EvalSet, check_sizes, find_sets
from kornia_srgan.evaluation.pairs import image_size, read_pair
from kornia_srgan.evaluation.protocols import (
    BandsView,
    ScoringProtocol,
    bands_view,
    protocol_for,
)
from kornia_srgan.training.run_folder import RunFolder

_TILE = 192  # HR pixels of a picture's side in the grid


@dataclass
class FolderValidator:
    """Scores on a folder, and writes a grid of bicubic | SR | HR as PNG.

    RGB is scored by the protocol `ledig-y`, images of other channels by `bands`; the grid shows three of
    those, from their 2nd to their 98th percentile.

    Args:
        sets: The images.
        metrics: By the names of their scores.
        every: Steps between validations.
        pictures: Rows of the grid; 0 draws none.
        resizer: Enlarges LR for the grid.
        folder: Where the grids go.
        device: Where the generator is.
        pixels: What is read of each file.
        shown: The bands that the grid shows.
    """

    sets: list[EvalSet]
    metrics: Mapping[str, Metric]
    every: int
    pictures: int
    resizer: Resizer
    folder: RunFolder
    device: torch.device
    pixels: PixelFormat = RGB
    shown: tuple[int, ...] = (0, 1, 2)
    _pairs: list[tuple[int, Tensor, Tensor]] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        images: Path,
        *,
        metrics: Mapping[str, Metric],
        scale: int,
        every: int,
        pictures: int,
        resizer: Resizer,
        folder: RunFolder,
        device: torch.device,
        pixels: PixelFormat = RGB,
        shown: tuple[int, ...] | None = None,
    ) -> FolderValidator:
        """Find and decode the images, so that a wrong folder is reported before the first step."""
        sets = find_sets(images, scale, arrays=pixels.range is not None)
        shown = shown or tuple(min(band, pixels.channels - 1) for band in range(3))
        validator = cls(sets, metrics, every, pictures, resizer, folder, device, pixels, shown)
        for found in sets:
            smallest = validator._protocol.smallest(scale)
            check_sizes(found, smallest, lambda path: image_size(path, pixels))
        validator._pairs = [
            (found.scale, *read_pair(image, found.scale, pixels))
            for found in validator.sets
            for image in found.images
        ]
        return validator

    @torch.no_grad()
    def __call__(self, generator: nn.Module, total: int) -> dict[str, float]:
        """Mean scores over all images of all sets; the generator must be in eval mode."""
        protocol = self._protocol
        view = BandsView() if self.pixels == RGB else bands_view(self.pixels, None)
        scores: list[dict[str, float]] = []
        rows: list[Tensor] = []
        for scale, lr, hr in self._pairs:
            sr = generator(lr.to(self.device)).float().cpu()
            scores.append(protocol.score(sr, hr, scale=scale, metrics=self.metrics, view=view))
            if len(rows) < self.pictures:
                rows.append(self._row(lr, sr, hr))
        if rows:
            _save_picture(torch.cat(rows, dim=-2), self.folder.picture(total))
        return {name: sum(s[name] for s in scores) / len(scores) for name in scores[0]}

    @property
    def _protocol(self) -> ScoringProtocol:
        return protocol_for(self.pixels)

    def _row(self, lr: Tensor, sr: Tensor, hr: Tensor) -> Tensor:
        """The centre of one image as bicubic, SR and HR."""
        bicubic = self.resizer(lr, (hr.shape[-2], hr.shape[-1]))
        images = [bicubic, sr, hr]
        if self.pixels.range is not None:
            images = _stretched([image[:, list(self.shown)] for image in images])
        elif self.pixels.channels == 1:
            images = [image.expand(-1, 3, -1, -1) for image in images]
        return torch.cat([_centre(image.clamp(0, 1)) for image in images], dim=-1)


def _stretched(images: list[Tensor]) -> list[Tensor]:
    """With the last image's 2nd percentile of each band black and its 98th white: data is often dark."""
    values = images[-1].flatten(2)
    values = values[..., :: max(1, values.shape[-1] // 2**20)]  # quantile takes 16 million at most
    low, high = (values.quantile(share, dim=2)[..., None, None] for share in (0.02, 0.98))
    return [(image - low) / (high - low).clamp(min=1e-6) for image in images]


def _centre(image: Tensor) -> Tensor:
    """The middle of an image, padded to the tile where it is smaller."""
    height, width = image.shape[-2:]
    top, left = max(0, (height - _TILE) // 2), max(0, (width - _TILE) // 2)
    cut = image[..., top : top + _TILE, left : left + _TILE]
    return torch.nn.functional.pad(cut, (0, _TILE - cut.shape[-1], 0, _TILE - cut.shape[-2]))


def _save_picture(image: Tensor, path: Path) -> None:
    pixels = (image[0] * 255 + 0.5).floor().to(torch.uint8).permute(1, 2, 0).numpy()
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
