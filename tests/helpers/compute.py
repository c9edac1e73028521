"""Measuring the machine, in no time."""

import pytest

from kornia_srgan.benchmarking import cost


def shrink_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's rate is of no interest in tests, and large products take their time."""
    monkeypatch.setattr(cost, "_CPU_SIDES", (32,))
