"""Randomness from seeds: per-sample numbers, and a shield around what draws from torch's global state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

_MASK = 2**64 - 1


def draw_bits(seeds: Sequence[int], *, stream: str) -> list[int]:
    """64 random bits per seed; different streams of one seed are independent."""
    key = int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")
    return [_splitmix64(_splitmix64(seed & _MASK) ^ key) for seed in seeds]


def _splitmix64(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


@contextmanager
def seeded_rng(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators (CPU and that device) inside, and put their state back on leaving."""
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        torch.default_generator.manual_seed(seed & (2**63 - 1))
        if device.type == "cuda":
            torch.cuda.manual_seed(seed & (2**63 - 1))
        yield
