"""Validation during training: scores and a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from kornia_srgan.atomic import replacing
from kornia_srgan.contracts import Resizer
from kornia_srgan.evaluation.datasets import EvalSet, check_sizes, find_sets
from kornia_srgan.evaluation.pairs import load_pair
from kornia_srgan.evaluation.protocols import DEFAULT_PROTOCOL, get_protocol
from kornia_srgan.training.run_folder import RunFolder

_TILE = 192  # HR pixels of a picture's side in the grid


@dataclass
class FolderValidator:
    """Computes PSNR-Y and SSIM on a folder, and writes a grid of bicubic | SR | HR as PNG.

    Args:
        sets: The images.
        every: Steps between validations.
        pictures: Rows of the grid; 0 draws none.
        resizer: Enlarges LR for the grid.
        folder: Where the grids go.
        device: Where the generator is.
    """

    sets: list[EvalSet]
    every: int
    pictures: int
    resizer: Resizer
    folder: RunFolder
    device: torch.device
    _pairs: list[tuple[int, Tensor, Tensor]] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        images: Path,
        *,
        scale: int,
        every: int,
        pictures: int,
        resizer: Resizer,
        folder: RunFolder,
        device: torch.device,
    ) -> FolderValidator:
        """Find and decode the images, so that a wrong folder is reported before the first step."""
        sets = find_sets(images, scale)
        for found in sets:
            check_sizes(found, get_protocol(DEFAULT_PROTOCOL).smallest(scale))
        validator = cls(sets, every, pictures, resizer, folder, device)
        validator._pairs = [
            (found.scale, *load_pair(image, found.scale))
            for found in validator.sets
            for image in found.images
        ]
        return validator

    @torch.no_grad()
    def __call__(self, generator: nn.Module, total: int) -> dict[str, float]:
        """Mean scores over all images of all sets; the generator must be in eval mode."""
        protocol = get_protocol(DEFAULT_PROTOCOL)
        scores: list[dict[str, float]] = []
        rows: list[Tensor] = []
        for scale, lr, hr in self._pairs:
            sr = generator(lr.to(self.device)).float().cpu()
            scores.append(protocol.score(sr, hr, scale=scale))
            if len(rows) < self.pictures:
                rows.append(self._row(lr, sr, hr))
        if rows:
            _save_picture(torch.cat(rows, dim=-2), self.folder.picture(total))
        return {name: sum(s[name] for s in scores) / len(scores) for name in scores[0]}

    def _row(self, lr: Tensor, sr: Tensor, hr: Tensor) -> Tensor:
        """The centre of one image as bicubic, SR and HR."""
        bicubic = self.resizer(lr, (hr.shape[-2], hr.shape[-1]))
        return torch.cat([_centre(image.clamp(0, 1)) for image in (bicubic, sr, hr)], dim=-1)


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
