"""Fit the small network behind `--restore auto` again.

usage: python docs/fit_restore.py OUT.safetensors FOLDER [FOLDER...]   (photographs of 320 pixels a side)

Crops are made small, damaged on purpose (noise, JPEG, both or neither) and enlarged by both ends of the dial.
The share of `photo` that comes closest to the original is the label, by least squares. It takes minutes.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from kornia_srgan import RESIZERS, load_generator
from kornia_srgan.inference.restore import RestoreEstimator
from kornia_srgan.weights.families import FAMILIES

SIDE, SCALE, CROPS, EPOCHS, BATCH = 320, 4, 1800, 36, 32
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def main() -> None:
    """Make the crops, fit, write."""
    out, *folders = sys.argv[1:]
    files = sorted(p for f in folders for p in Path(f).rglob("*") if p.suffix.lower() in SUFFIXES)
    ends = [load_generator(name).module.eval() for name in (FAMILIES[0].clean, FAMILIES[0].photo)]
    rng = np.random.default_rng(1)
    resize = RESIZERS.create("matlab_bicubic")
    made = [labelled(crop(files, rng), resize, ends, rng) for _ in range(CROPS)]
    network = fit(torch.stack([lr for lr, _ in made]), torch.tensor([share for _, share in made]))
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, out)


def crop(files: list[Path], rng: np.random.Generator) -> Tensor:
    """A crop of a photograph, `(1, 3, SIDE, SIDE)` in [0, 1]."""
    while True:
        with Image.open(files[rng.integers(len(files))]) as opened:
            photo = opened.convert("RGB")
        if min(photo.size) >= SIDE:
            break
    x, y = (int(rng.integers(size - SIDE + 1)) for size in photo.size)
    pixels = np.array(photo.crop((x, y, x + SIDE, y + SIDE)))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@torch.inference_mode()
def labelled(hr: Tensor, resize, ends: list[nn.Module], rng: np.random.Generator) -> tuple[Tensor, float]:
    """A damaged LR crop `(3, h, w)` in [0, 1], and the share of `photo` that enlarges it best."""
    clean = (resize(hr, (SIDE // SCALE, SIDE // SCALE))[0].permute(1, 2, 0) * 255).round().numpy()
    pixels = damaged(clean.astype(np.float32), rng)
    lr = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    low, high = (end(lr) for end in ends)
    step = high - low
    return lr[0].clone(), float(((hr - low) * step).sum() / (step * step).sum().clamp_min(1e-8))


def damaged(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of 0.5 to 12 grey levels in half of the crops, JPEG of 30 to 98 in six of ten."""
    if rng.random() < 0.5:
        noise = rng.normal(0, np.exp(rng.uniform(np.log(0.5), np.log(12))), pixels.shape)
        pixels = pixels + (noise[..., :1] if rng.random() < 0.2 else noise)
    stored = pixels.clip(0, 255).round().astype(np.uint8)
    if rng.random() < 0.4:
        return stored
    y, x = rng.integers(0, 16, 2) if rng.random() < 0.5 else (0, 0)
    buffer = io.BytesIO()
    padded = np.pad(stored, ((y, 0), (x, 0), (0, 0)), mode="edge")
    Image.fromarray(padded).save(buffer, "JPEG", quality=int(rng.integers(30, 99)))
    return np.array(Image.open(buffer))[y:, x:]


def fit(crops: Tensor, shares: Tensor) -> RestoreEstimator:
    """Least squares between what the network says and the labels, cut to [0, 1]."""
    torch.manual_seed(0)
    network, shares = RestoreEstimator(), shares.float().clamp(0, 1)
    steps = EPOCHS * (len(crops) // BATCH)
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(crops)).split(BATCH)[: len(crops) // BATCH]:
            batch = crops[chosen]
            for axis in (-1, -2):
                batch = batch.flip(axis) if torch.rand(()) < 0.5 else batch
            loss = F.mse_loss(network(batch), shares[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network


if __name__ == "__main__":
    main()
