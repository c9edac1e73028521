"""Measuring the machine, in no time."""

import pytest

from kornia_srgan.benchmarking import compute


def shrink_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's rate is of no interest in tests, and large products take their time."""
    monkeypatch.setattr(compute, "_CPU_SIDES", (32,))
