"""The two real checkpoints beside the checkout give what their projects published."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.assembly import load_generator


def luma(image: np.ndarray) -> np.ndarray:
    return 16 + image.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255


def psnr_y(sr: np.ndarray, hr: np.ndarray, border: int = 4) -> float:
    inside = (slice(border, -border), slice(border, -border))
    hr = hr[: sr.shape[0], : sr.shape[1]]
    return float(10 * np.log10(255**2 / np.mean((luma(sr)[inside] - luma(hr)[inside]) ** 2)))


def enlarge(module: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    lr = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        sr = module(lr.to(memory_format=torch.channels_last))[0]
    return (sr.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def read(path: Path) -> np.ndarray:
    return np.array(Image.open(path).convert("RGB"))


@pytest.mark.parametrize(
    ("name", "component", "expected"),
    # leftthomas: the figure of its project on Set5; the anime model has none, ours is measured once.
    [("leftthomas_srgan_x4", "srresnet", 30.66), ("realesr-animevideov3", "compact", 28.23)],
)
def test_set5(name, component, expected, shared_data):
    loaded = load_generator(shared_data / "checkpoints" / f"{name}.pth")
    assert (loaded.spec.name, loaded.spec.scale) == (component, 4)
    folder = shared_data / "eval" / "Set5"
    pairs = zip(sorted((folder / "LRx4").iterdir()), sorted((folder / "HR").iterdir()), strict=True)
    scores = [psnr_y(enlarge(loaded.module, read(lr)), read(hr)) for lr, hr in pairs]
    assert len(scores) == 5
    assert np.mean(scores) == pytest.approx(expected, abs=0.006)
