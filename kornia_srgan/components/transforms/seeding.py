"""Seeds of a batch: one an image, and a shield around what draws from torch's global state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.errors import ArgumentError


def to_device(values: np.ndarray, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Values as a tensor on the device of `like`, without waiting for work that is queued there."""
    tensor = torch.from_numpy(np.ascontiguousarray(values)).to(dtype or like.dtype)
    if like.device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(like.device, non_blocking=True)


def check_seeds(images: Tensor, seeds: Sequence[int]) -> None:
    """Raise `ArgumentError` unless there is one seed per image."""
    if len(seeds) != len(images):
        raise ArgumentError(
            f"a transform needs one seed per image; got {len(seeds)} for {len(images)} images", where="seeds"
        )


@contextmanager
def seeded_rng(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators (CPU and that device) inside, and put their state back on leaving."""
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        torch.default_generator.manual_seed(int(seed) & (2**63 - 1))
        if device.type == "cuda":
            torch.cuda.manual_seed(int(seed) & (2**63 - 1))
        yield
