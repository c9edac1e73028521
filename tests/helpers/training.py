"""Small networks, photographs and runs for the tests of training."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image
from torch import nn

from kornia_srgan.assembly import Components, assemble
from kornia_srgan.config.io import parse_config
from kornia_srgan.config.model import TrainConfig
from kornia_srgan.training.hooks import StepEvent


class Killed(Exception):
    """Stands for a SIGKILL: nothing of the trainer's runs after it."""


class Killer:
    """An `on_step` that dies before the step of number `total`; the fixture `kill_at` sets it."""

    def __init__(self) -> None:
        self.total = -1

    def __call__(self, event: StepEvent) -> None:
        if event.result is None and event.progress.total == self.total:
            raise Killed


killer = Killer()

GAN: dict[str, Any] = {
    "name": "gan",
    "steps": 6,
    "losses": ["l1"],
    "adversarial": {"name": "vanilla", "weight": 1e-2},
    "discriminator": {"name": "vgg", "args": {"filters": [8, 8], "strides": [1, 2], "dense": 8, "pool": 2}},
}


def small_config(**sections: Any) -> TrainConfig:
    """Two stages of six steps of two small networks, the generator without BatchNorm."""
    raw: dict[str, Any] = {
        "name": "small",
        "scale": 4,
        "generator": {"name": "edsr", "args": {"channels": 8, "num_blocks": 1}},
        "data": {"crop": 16, "cache": "ram"},
        "train": {
            "batch_size": 4,
            "lr": 1e-3,
            "ema_decay": 0.9,
            "grad_clip": 1.0,
            "log_every": 2,
            "checkpoint_every": 4,
            "precision": "no",
        },
        "stages": [
            {"name": "psnr", "steps": 6, "losses": ["mse"], "schedule": {"name": "cosine"}},
            deepcopy(GAN),
        ],
    }
    for key, value in sections.items():
        node = raw
        *path, last = key.split("__")
        for name in path:
            node = node[int(name)] if isinstance(node, list) else node.setdefault(name, {})
        node[last] = value
    return parse_config(raw)


def make_photos(folder: Path, count: int = 5) -> Path:
    """Smooth colour images with edges, of different sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        coarse = rng.integers(0, 256, (3 + index, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((40 + 3 * index, 36), Image.Resampling.BICUBIC).save(
            folder / f"{index}.png"
        )
    return folder


def cpu_accelerator() -> Accelerator:
    return Accelerator(cpu=True)


def small_components(**sections: Any) -> Components:
    return assemble(small_config(**sections))


def tensors_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}
