import pytest

from tests.helpers.compute import shrink_products


@pytest.fixture(autouse=True)
def _small_products(monkeypatch):
    shrink_products(monkeypatch)
