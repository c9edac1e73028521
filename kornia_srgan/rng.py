"""Random numbers as a function of a seed, a stream and an index, without any state to save.

All come from SplitMix64 (Steele, Lea & Flood 2014, doi 10.1145/2660193.2660195) on uint64 arrays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def splitmix64(x: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64 on uint64 arrays, modulo 2**64."""
    x = x + GOLDEN
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def draw_numbers(seed: int, stream: int, k: np.ndarray) -> np.ndarray:
    """64 random bits for each number k of a stream: uint64 of the shape of `k`."""
    key = splitmix64(np.array([seed % 2**64], np.uint64))
    key = splitmix64(key ^ splitmix64(np.array([stream], np.uint64)))
    return splitmix64(key + splitmix64(k.astype(np.uint64)))


def draw_bits(seeds: Sequence[int], *, stream: str, count: int = 1) -> np.ndarray:
    """Random uint64 of shape `(len(seeds), count)`: row i is a function of seed i and the stream alone."""
    key = np.frombuffer(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "<u8")
    seed = np.array([s % 2**64 for s in seeds], np.uint64).reshape(-1, 1)
    state = splitmix64(splitmix64(seed) ^ key.reshape(1, 1))
    return splitmix64(state + np.arange(count, dtype=np.uint64) * GOLDEN)


def draw_uniform(seeds: Sequence[int], *, stream: str, count: int = 1) -> np.ndarray:
    """Random float64 in [0, 1) of shape `(len(seeds), count)`, likewise."""
    return (draw_bits(seeds, stream=stream, count=count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
