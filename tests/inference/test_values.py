"""Stored values from the generators' [0, 1]: rounded to the nearest, some rows at a time."""

import numpy as np
import pytest
import torch

from kornia_srgan.inference import values
from kornia_srgan.inference.values import from_unit


@pytest.mark.parametrize(("dtype", "white"), [(torch.uint8, 255), (torch.uint16, 65535)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_parts_of_a_picture_are_rounded_as_the_whole(dtype, white, layout, monkeypatch):
    monkeypatch.setattr(values, "_AT_ONCE", 2 * 3 * 11 * 4)  # four of thirteen rows
    unit = torch.rand(2, 3, 13, 11, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    unit = unit.contiguous(memory_format=layout)
    expected = np.rint(unit.numpy().clip(0, 1).astype(np.float64) * white)
    result = from_unit(unit, dtype)
    assert result.dtype == dtype
    assert result.stride() == unit.stride()
    assert np.abs(result.numpy().astype(np.float64) - expected).max() <= (0 if white == 255 else 1)


def test_without_pixels_there_are_none():
    assert from_unit(torch.zeros(1, 3, 0, 5), torch.uint8).shape == (1, 3, 0, 5)
