"""Repeated measurements, told as a median with quartiles."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
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
