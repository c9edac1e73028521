"""Pairs of which every pixel says where it is."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

PAIR_SIZES = [(9, 12), (20, 7), (5, 31), (3, 2)]  # of LR images


def coordinates(height: int, width: int, number: int) -> np.ndarray:
    """uint8 `(H, W, 3)` of row, column and the image's number."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.full_like(rows, number)], -1).astype(np.uint8)


def make_pairs(
    folder: Path, *, hr_name: str = "HR/{}.png", lr_name: str = "LR/{}x4.png", scale: int = 4
) -> tuple[Path, Path]:
    """HR images that show each LR pixel as a square of its colour; their folders.

    One has pixels to spare.
    """
    for number, (height, width) in enumerate(PAIR_SIZES):
        lr = coordinates(height, width, number)
        hr = np.kron(lr, np.ones((scale, scale, 1), np.uint8))
        if number == 1:
            hr = np.pad(hr, ((0, scale - 1), (0, 1), (0, 0)), constant_values=255)
        for name, image in ((hr_name, hr), (lr_name, lr)):
            path = folder / name.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return (folder / hr_name).parent, (folder / lr_name).parent


def make_shard(folder: Path, archive: Path) -> Path:
    """The same in a shard of webdataset: `0.hr.png` and `0.lr.png`."""
    make_pairs(folder, hr_name="loose/{}.hr.png", lr_name="loose/{}.lr.png")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as tar:
        for path in sorted((folder / "loose").iterdir()):
            tar.add(path, path.name)
    return archive
