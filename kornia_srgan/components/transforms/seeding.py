"""Randomness from seeds: per-sample numbers, and a shield around what draws from torch's global state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.errors import ArgumentError

_GOLDEN = 0x9E3779B97F4A7C15


def draw_bits(seeds: Sequence[int], *, stream: str, count: int = 1) -> np.ndarray:
    """Random uint64 of shape `(len(seeds), count)`: row i is a function of seed i and the stream alone."""
    key = np.frombuffer(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "<u8")
    seed = np.array([s % 2**64 for s in seeds], np.uint64).reshape(-1, 1)
    state = _splitmix64(_splitmix64(seed) ^ key.reshape(1, 1))
    return _splitmix64(state + np.arange(count, dtype=np.uint64) * np.uint64(_GOLDEN))


def draw_uniform(seeds: Sequence[int], *, stream: str, count: int = 1) -> np.ndarray:
    """Random float64 in [0, 1) of shape `(len(seeds), count)`, likewise."""
    return (draw_bits(seeds, stream=stream, count=count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _splitmix64(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(_GOLDEN)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


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
            f"a transform needs one seed per image; got {len(seeds)} for {len(images)} images"
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
