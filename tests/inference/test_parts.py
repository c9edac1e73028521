"""A picture in parts has the bits of the whole."""

import numpy as np
import pytest
import torch

from kornia_srgan.inference import parts as parts_module
from kornia_srgan.inference.parts import Part, parts_of, trimmed
from kornia_srgan.inference.tiling import Tiling
from kornia_srgan.inference.upscaler import Upscaler
from tests.helpers.tiny_weights import save_tiny_weights


def in_parts(upscaler, pixels, count=2):
    parts = upscaler.parts(*pixels.shape[:2], count)
    assert len(parts) > 1
    assert [p.first for p in parts] == [0, *(p.stop for p in parts[:-1])]
    assert parts[-1].stop == len(pixels)
    return np.concatenate([b for p in parts for b in upscaler.part(pixels[p.top : p.bottom], p)])


@pytest.mark.parametrize(
    "options", [{}, {"tile": 16}, {"tile": 16, "color_fix": True}, {"dtype": "bfloat16"}]
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_bits_are_those_of_the_whole(tmp_path, options, dtype, monkeypatch):
    monkeypatch.setattr(parts_module, "_LEAST_MARGINS", 1)
    upscaler = Upscaler.from_pretrained(save_tiny_weights(tmp_path), device="cpu", **options)
    pixels = np.random.default_rng(0).random((333, 40, 3), np.float32)
    pixels = (pixels * 255).astype(dtype) if dtype == "uint8" else pixels
    np.testing.assert_array_equal(in_parts(upscaler, pixels), upscaler(pixels))


def test_convolutions_that_choose_their_way_by_the_rows_choose_the_same():
    """Winograd's way pays from some number of rows on: 400 columns are handed in by 64 rows."""
    upscaler = Upscaler.from_pretrained("edsr-x2", device="cpu")
    pixels = np.random.default_rng(0).random((1100, 130, 1), np.float32)
    np.testing.assert_array_equal(in_parts(upscaler, pixels, 1), np.concatenate(list(upscaler.bands(pixels))))


def test_what_must_be_seen_whole_is_not_cut():
    assert parts_of(1000, 10, 2, Tiling(0, 3, 4)) == []
    assert parts_of(1000, 10, 2, Tiling(32, None, 4)) == []
    assert parts_of(1000, 10, 2, Tiling(32, 8, 4, blend=4)) == []
    assert parts_of(40, 10, 2, Tiling(32, 8, 4)) == []


def test_parts_see_their_halo_and_keep_to_the_grids():
    parts = parts_of(1001, 10, 2, Tiling(32, 10, 4, align=4))
    assert parts[0] == Part(0, 256, 0, 268)
    assert parts[1] == Part(256, 512, 244, 524)
    assert parts[-1] == Part(768, 1001, 756, 1001)
    assert all(p.top % 4 == 0 and p.first % 32 == 0 for p in parts)


def test_large_pictures_have_parts_that_fit_into_memory():
    parts = parts_of(40_000, 40_000, 2, Tiling(64, 8, 4))
    assert max(p.stop - p.first for p in parts) * 40_000 * 3 * 16 < 2**29


def test_bands_are_trimmed():
    bands = torch.arange(12.0).reshape(1, 1, 12, 1).split([3, 5, 4], dim=2)
    assert torch.cat(list(trimmed(iter(bands), 2, 9)), dim=2).flatten().tolist() == list(range(2, 9))
    assert torch.cat(list(trimmed(iter(bands), 3, 8)), dim=2).flatten().tolist() == list(range(3, 8))
