"""Writes pairs of HR and LR tiles as files. Training does not need them; other tools may."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from kornia_srgan.atomic import replacing
from kornia_srgan.data.crop_decoding import pad_to_crop
from kornia_srgan.data.images import read_rgb
from kornia_srgan.errors import DataError, ImageError
from kornia_srgan.photos.outputs import MARK
from kornia_srgan.processor import usable_processors

if TYPE_CHECKING:
    from kornia_srgan.contracts import Resizer

_TILE = re.compile(r".*_\d{4,}\.png")
_TOGETHER = 64  # tiles resized in one call


@dataclass(frozen=True)
class TileFolders:
    """The output folders of tiles: `HR` and `LR_x<scale>`."""

    hr: Path
    lr: Path

    @classmethod
    def open(cls, output: Path, *, scale: int, overwrite: bool) -> TileFolders:
        """Create both folders.

        Args:
            output: The parent folder.
            scale: Used in the name of the LR folder.
            overwrite: Delete the tiles of an earlier run, and nothing else. Otherwise a folder that is not
                empty is an error.

        Raises:
            DataError: If `output` is not empty or cannot be written.
        """
        folders = cls(output / "HR", output / f"LR_x{scale}")
        try:
            if not overwrite and any(not p.is_dir() and p.name != MARK for p in output.rglob("*")):
                raise DataError(
                    f"output folder '{output}' is not empty; choose another, or pass --overwrite "
                    "to replace the tiles in it",
                    where=output,
                )
            for folder in (folders.hr, folders.lr):
                folder.mkdir(parents=True, exist_ok=True)
                for old in folder.iterdir():
                    if _TILE.fullmatch(old.name):
                        old.unlink()
        except OSError as error:
            raise DataError(
                f"cannot write to output folder '{output}': {error.strerror or error}", where=output
            ) from error
        return folders


@dataclass(frozen=True)
class TileReport:
    """What was written.

    Attributes:
        images: Number of images.
        tiles: Number of pairs of tiles.
        skipped: One message for each file that could not be decoded.
    """

    images: int
    tiles: int
    skipped: tuple[str, ...]


def cut_tiles(image: np.ndarray, *, crop: int, stride: int) -> Iterator[np.ndarray]:
    """Cut an image `(H, W, 3)` into square tiles, from the top left; the remainder is dropped.

    Small images are mirrored until one tile fits.
    """
    image = pad_to_crop(image, crop)
    height, width = image.shape[:2]
    for y in range(0, height - crop + 1, stride):
        for x in range(0, width - crop + 1, stride):
            yield image[y : y + crop, x : x + crop]


def tile_names(paths: Sequence[Path]) -> list[str]:
    """A unique file stem for each image: its own, with its folders or a number if that is taken."""
    taken: set[str] = set()
    names = []
    for path in paths:
        parents = [p for p in path.parts[:-1] if p not in (os.sep, "..")]
        name, depth = path.stem, 0
        while name in taken and depth < min(2, len(parents)):
            depth += 1
            name = "_".join((*parents[-depth:], path.stem))
        number = 1
        unique = name
        while unique in taken:
            number += 1
            unique = f"{name}-{number}"
        taken.add(unique)
        names.append(unique)
    return names


def write_tiles(
    paths: Sequence[Path],
    folders: TileFolders,
    *,
    crop: int,
    scale: int,
    stride: int,
    resize: Resizer,
    threads: int | None = None,
    on_image: Callable[[], None] = lambda: None,
) -> TileReport:
    """Cut images into HR tiles and write each with its LR tile as PNG.

    Args:
        paths: Image files; those that cannot be decoded are skipped and reported.
        folders: The output folders.
        crop: Side of an HR tile; a multiple of `scale`.
        scale: The scale between LR and HR.
        stride: Distance between tiles.
        resize: Makes LR from HR.
        threads: How many images are cut together; None for as many as the process has processors.
        on_image: Called after each image.

    Raises:
        DataError: If the sizes do not fit together, or no image can be decoded.
        ImageError: If a tile cannot be written.
    """
    if crop < 1 or scale < 1 or crop % scale:
        raise DataError(f"crop {crop} is not a multiple of scale {scale}", where="crop")
    if stride < 1:
        raise DataError(f"stride must be at least 1; got {stride}", where="stride")

    def one(path: Path, name: str) -> int | str:
        try:
            image = read_rgb(path)
        except ImageError as error:
            return str(error)
        tiles = list(cut_tiles(image, crop=crop, stride=stride))
        for i, (hr, lr) in enumerate(zip(tiles, _shrink(tiles, crop // scale, resize), strict=True)):
            write_png(folders.hr / f"{name}_{i:04d}.png", hr)
            write_png(folders.lr / f"{name}_{i:04d}.png", lr)
        return len(tiles)

    results = []
    with ThreadPoolExecutor(threads or usable_processors()) as pool:
        for result in pool.map(one, paths, tile_names(paths)):
            results.append(result)
            on_image()
    counts = [r for r in results if isinstance(r, int)]
    skipped = tuple(r for r in results if isinstance(r, str))
    if not counts:
        raise DataError(
            f"none of the {len(skipped)} image files can be decoded, for example {skipped[0]}", where=paths[0]
        )
    return TileReport(len(counts), sum(counts), skipped)


def _shrink(tiles: Sequence[np.ndarray], size: int, resize: Resizer) -> Iterator[np.ndarray]:
    import torch

    for i in range(0, len(tiles), _TOGETHER):
        hr = torch.from_numpy(np.stack(tiles[i : i + _TOGETHER])).permute(0, 3, 1, 2).float() / 255
        lr = (resize(hr, (size, size)) * 255).add(0.5).floor().clamp(0, 255).byte()
        yield from lr.permute(0, 2, 3, 1).numpy()


def write_png(path: Path, image: np.ndarray) -> None:
    """Write uint8 RGB `(H, W, 3)` atomically.

    Raises:
        ImageError: If it cannot be written.
    """
    with replacing(path, ImageError) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")
