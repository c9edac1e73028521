"""Pillow's images become arrays: the same values in every mode, with one copy at most."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.photos import modes
from kornia_srgan.photos.modes import from_pil

MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "I;16": 1, "F": 1}


def picture(mode, height=23, width=17):
    random = np.random.default_rng(0)
    if mode == "F":
        return Image.fromarray(random.random((height, width), np.float32))
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 2**16, (height, width), np.uint16))
    values = random.integers(0, 256, (height, width, MODES[mode]), np.uint8)
    return Image.fromarray(values.squeeze(-1) if mode == "L" else values, mode)


@pytest.mark.parametrize("block", [1, 17 * 5, 2**20])
@pytest.mark.parametrize("mode", MODES)
def test_blocks_of_rows_give_what_pillow_gives(mode, block, monkeypatch):
    monkeypatch.setattr(modes, "_BLOCK", block)
    image = picture(mode)
    frame, _ = from_pil(image)
    parts = [frame.pixels] if frame.alpha is None else [frame.pixels, frame.alpha]
    expected = np.array(image).reshape(23, 17, MODES[mode])
    found = np.concatenate(parts, axis=-1)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def test_values_of_another_byte_order_become_the_machines():
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * 1000
    image = Image.frombytes("I;16B", (4, 3), values.astype(">u2").tobytes())
    pixels = from_pil(image)[0].pixels
    assert pixels.dtype == np.uint16
    assert pixels.dtype.isnative
    assert np.array_equal(pixels[..., 0], values)


def test_a_photograph_is_not_held_several_times():
    image = Image.new("RGB", (2000, 1500))
    tracemalloc.start()
    try:
        frame, _ = from_pil(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Pillow's own whole array comes as rows, all rows joined, and a copy: three times as much.
    assert peak < 1.8 * frame.pixels.nbytes


def test_a_mode_that_can_stay_is_not_copied(monkeypatch):
    image = picture("RGB")
    monkeypatch.setattr(Image.Image, "convert", lambda *args: pytest.fail("converted"))
    from_pil(image)
