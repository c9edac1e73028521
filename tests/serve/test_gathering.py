"""Small pictures of one size that wait together are enlarged in one call, with the same pixels."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra: pip install 'kornia-srgan[serve]'")

import threading

from kornia_srgan.inference.calls import Calls
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.serve.gathering import Gathered, Table
from kornia_srgan.serve.workshop import Order, Workshop
from kornia_srgan.weights.choices import Choice
from tests.helpers.tiny_weights import save_tiny_weights

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def calls(monkeypatch):
    """How many pictures each call of the network for several took."""
    counts, whole = [], Calls.whole
    monkeypatch.setattr(Calls, "whole", lambda self, some: counts.append(len(some)) or whole(self, some))
    return counts


def pictures(count, height=5, width=6, dtype: type = np.uint8):
    return list(RNG.integers(0, 255, (count, height, width, 3)).astype(dtype))


def enlarged(gathered, some):
    for pixels in some:
        gathered.lay(pixels)
    return [np.concatenate(list(gathered.bands(pixels))) for pixels in some]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_same_pixels_as_alone(weights, calls, dtype):
    upscaler = Upscaler.from_pretrained(str(weights), device="cpu")
    some = pictures(3, dtype=dtype)
    for pixels, result in zip(some, enlarged(Gathered(upscaler, Table()), some), strict=True):
        assert np.array_equal(result, upscaler(pixels))
    assert calls == [3]


def test_what_differs_is_computed_apart(weights, calls):
    upscaler, other = (Upscaler.from_pretrained(str(weights), device="cpu") for _ in range(2))
    table = Table()
    some, wide, deep = pictures(2), pictures(1, width=7), pictures(1, dtype=np.uint16)
    foreign = pictures(1)
    Gathered(other, table).lay(foreign[0])
    results = enlarged(Gathered(upscaler, table), [*wide, *some, *deep])
    assert calls == [2]
    assert np.array_equal(results[0], upscaler(wide[0]))
    assert results[3].dtype == np.uint16


def test_one_alone_is_computed_as_ever(weights, calls):
    upscaler = Upscaler.from_pretrained(str(weights), device="cpu")
    [result] = enlarged(Gathered(upscaler, Table()), some := pictures(1))
    assert np.array_equal(result, upscaler(some[0]))
    assert calls == []


def test_no_more_pixels_than_a_tile_has(weights, calls):
    upscaler = Upscaler.from_pretrained(str(weights), device="cpu")
    upscaler._tiling = replace(upscaler._tiling, tile=8)  # two pictures of 5 x 6
    enlarged(Gathered(upscaler, Table()), pictures(5))
    assert calls == [2, 2]


def test_a_picture_that_nobody_waits_for_is_left_out(weights, calls):
    gathered = Gathered(Upscaler.from_pretrained(str(weights), device="cpu"), Table())
    gathered.lay(pictures(1)[0])
    enlarged(gathered, pictures(1))
    assert calls == []


def test_without_memory_each_is_computed_alone(weights, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(Calls, "whole", fail)
    upscaler = Upscaler.from_pretrained(str(weights), device="cpu")
    some = pictures(2)
    for pixels, result in zip(some, enlarged(Gathered(upscaler, Table()), some), strict=True):
        assert np.array_equal(result, upscaler(pixels))


def test_orders_that_wait_together_give_the_files_of_single_ones(weights, monkeypatch, tmp_path):
    """How many come together is a matter of threads; that all lie on the table is not."""
    orders, laid, lay = [], [], Table.lay
    monkeypatch.setattr(Table, "lay", lambda self, *what: laid.append(self) or lay(self, *what))
    for pixels in [*pictures(3), *pictures(1, height=9)]:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        orders.append(Order(file.getvalue(), "tiny"))
    workshop = Workshop({"tiny": Choice(weights, 4, "edsr")}, device="cpu")
    free = threading.Event()
    try:
        alone = [
            workshop.take(order, tmp_path / f"alone-{n}").result.result(60) for n, order in enumerate(orders)
        ]
        workshop._desk.leave(free.wait)
        tickets = [workshop.take(order, tmp_path / str(n)) for n, order in enumerate(orders)]
        free.set()
        together = [ticket.result.result(60) for ticket in tickets]
    finally:
        free.set()
        workshop.stop()
    assert [a.path.read_bytes() for a in together] == [a.path.read_bytes() for a in alone]
    assert laid == [workshop._table] * 8
