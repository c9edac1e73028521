"""Weights that load and compute in no time."""

from pathlib import Path
from typing import Any

import torch

from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.spec import WeightSpec


def save_tiny_weights(folder: Path, name: str = "tiny") -> Path:
    """A file with an untrained `edsr` x4 of one block, always the same."""
    args = {"channels": 4, "num_blocks": 1}
    path = folder / f"{name}.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = GENERATORS.create("edsr", scale=4, **args)
    save_weights(path, module.state_dict(), WeightSpec(name="edsr", args=args, scale=4))
    return path


def save_band_weights(
    path: Path, channels: int = 4, data_range: tuple[float, ...] = (0.0, 10000.0), scale: int = 4
) -> Path:
    """An untrained `edsr` for images of other channels, of which every part does something."""
    args: dict[str, Any] = {"channels": 4, "num_blocks": 1, "bands": channels}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = GENERATORS.create("edsr", scale=scale, **args)
        for parameter in module.parameters():
            parameter.data.add_(torch.randn_like(parameter) * 0.02)  # else it is the bilinear skip alone
    spec = WeightSpec(name="edsr", args=args, scale=scale, channels=channels, data_range=data_range)
    save_weights(path, module.state_dict(), spec)
    return path
