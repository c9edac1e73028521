import pytest

from kornia_srgan.benchmarking import compute


@pytest.fixture(autouse=True)
def small_products(monkeypatch):
    """The machine's rate is of no interest here, and large products take their time."""
    monkeypatch.setattr(compute, "_CPU_SIDES", (32,))
