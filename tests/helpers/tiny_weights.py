"""Weights that load and compute in no time."""

from pathlib import Path

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
