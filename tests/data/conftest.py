from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.pictures import photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six readable images of several sizes and formats in nested folders, two smaller than a 16 crop."""
    folder = tmp_path / "photos"
    (folder / "sub" / "deep").mkdir(parents=True)
    for name, size in {
        "a.png": (40, 52),
        "b.jpg": (33, 47),
        "sub/c.webp": (64, 20),
        "sub/deep/d.bmp": (17, 90),
        "tiny.png": (5, 9),
        "narrow.tif": (60, 3),
    }.items():
        Image.fromarray(photo(*size, seed=len(name))).save(folder / name)
    return folder


@pytest.fixture
def damaged(photos: Path) -> Path:
    """The same, with three that cannot be decoded: no image, a broken header, a truncated body."""
    (photos / "text.png").write_text("not an image")
    (photos / "empty.jpg").write_bytes(b"")
    whole = photos / "whole.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (80, 80, 3), dtype=np.uint8)).save(whole)
    (photos / "cut.png").write_bytes(whole.read_bytes()[:6000])
    whole.unlink()
    return photos
