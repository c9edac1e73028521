"""The rows of the table: bicubic, networks, and images of other tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.errors import DataError
from kornia_srgan.evaluation.datasets import EvalImage, EvalSet
from kornia_srgan.evaluation.folders import ImageFolder
from kornia_srgan.evaluation.pairs import bicubic, image_size, read_image

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from kornia_srgan.contracts import Generator

BASELINE = "bicubic"
# What an entrant makes of an image: from LR on the CPU to SR on the CPU, both `(1, C, H, W)`.
Entrant = Callable[["EvalImage", "Tensor"], "Tensor"]


def make_entrants(
    models: Mapping[str, Generator],
    folders: Mapping[str, ImageFolder],
    found: EvalSet,
    level: str,
    device: str | torch.device,
    pixels: PixelFormat = RGB,
) -> dict[str, Entrant]:
    """Create all rows, bicubic first.

    Args:
        models: Generators on `device`.
        folders: Images of other tools.
        found: The set.
        level: The level of its LR images, or empty.
        device: The device of the models.
        pixels: What is read of each file.

    Raises:
        DataError: If a folder lacks an image, or one has another size.
    """
    bicubic = _network(_Bicubic(found.scale, pixels), "cpu")
    networks = {name: _network(model, device) for name, model in models.items()}
    others = {
        name: _made_elsewhere(folder.pair(found, level), found, pixels) for name, folder in folders.items()
    }
    return {BASELINE: bicubic, **networks, **others}


def _network(model: Generator, device: str | torch.device) -> Entrant:
    import torch

    def enlarge(image: EvalImage, lr: Tensor) -> Tensor:
        with torch.inference_mode():
            return model(lr.to(device)).float().cpu()

    return enlarge


def _made_elsewhere(files: Mapping[str, Path], found: EvalSet, pixels: PixelFormat) -> Entrant:
    """Reads what another tool made; of a size that HR had before it was cropped, the top left.

    Raises:
        DataError: If a file has another size by its header.
    """
    scale = found.scale
    for image in found.images:
        made, true = image_size(files[image.name], pixels), image_size(image.hr, pixels)
        if made and true and sorted(made) != sorted(true):  # one of them may be turned when it is read
            _check_fits(
                files[image.name], made, image, (true[0] - true[0] % scale, true[1] - true[1] % scale), scale
            )

    def read(image: EvalImage, lr: Tensor) -> Tensor:
        sr = read_image(files[image.name], pixels)
        height, width = (side * scale for side in lr.shape[-2:])
        _check_fits(files[image.name], (sr.shape[-1], sr.shape[-2]), image, (width, height), scale)
        return sr[..., :height, :width]

    return read


def _check_fits(
    path: Path, made: tuple[int, int], image: EvalImage, wanted: tuple[int, int], scale: int
) -> None:
    if any(not 0 <= have - want < scale for have, want in zip(made, wanted, strict=True)):
        raise DataError(
            f"{path} has {made[0]}x{made[1]} pixels; {image.name} at x{scale} has {wanted[0]}x{wanted[1]}",
            where=path,
        )


class _Bicubic:
    """The baseline: MATLAB's bicubic enlargement."""

    def __init__(self, scale: int, pixels: PixelFormat) -> None:
        self.scale = scale
        self._resize = bicubic(pixels)

    def __call__(self, lr: Tensor) -> Tensor:
        height, width = lr.shape[-2:]
        return self._resize(lr, (height * self.scale, width * self.scale))
