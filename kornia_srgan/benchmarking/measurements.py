"""Repeated measurements: taken in turns, told as a median with quartiles."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """Repeated measurements of one thing."""

    name: str
    unit: str
    values: tuple[float, ...]
    median: float
    q1: float
    q3: float

    @classmethod
    def of(cls, name: str, unit: str, values: Sequence[float]) -> Result:
        """Median and quartiles of values."""
        several = list(values) * (2 if len(values) == 1 else 1)  # quantiles wants two points
        q1, median, q3 = statistics.quantiles(several, n=4, method="inclusive")
        return cls(name, unit, tuple(values), median, q1, q3)


def measure_in_turns(
    cases: Mapping[str, Callable[[], float]], *, repeats: int, seed: int = 0
) -> dict[str, list[float]]:
    """Measure every case once a round, in another order each round, so that drift hits all alike."""
    order = random.Random(seed)
    values: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name in order.sample(list(cases), len(cases)):
            values[name].append(cases[name]())
    return values
