import numpy as np
import pytest
import torch

from kornia_srgan.ops.bicubic import bicubic_taps, keys_cubic


@pytest.mark.parametrize("a", [-0.5, -0.75])
def test_the_kernel_is_one_at_its_centre_zero_at_whole_numbers_and_adds_up_to_one(a):
    assert keys_cubic(np.array([0.0, 1.0, 2.0, 3.0]), a).tolist() == [1, 0, 0, 0]
    x = np.linspace(0, 1, 11)
    total = sum(keys_cubic(np.abs(x - shift), a) for shift in (-1, 0, 1, 2))
    np.testing.assert_allclose(total, 1)


def test_known_values():
    """At half a pixel: 0.5625 and -0.0625 for a = -0.5 (MATLAB), 0.59375 and -0.09375 for -0.75 (torch)."""
    half = np.array([0.5, 1.5])
    assert keys_cubic(half).tolist() == [0.5625, -0.0625]
    assert keys_cubic(half, -0.75).tolist() == [0.59375, -0.09375]
    assert keys_cubic(torch.tensor([0.5, 1.5])).tolist() == [0.5625, -0.0625]


@pytest.mark.parametrize(("size_in", "size_out"), [(8, 32), (32, 8), (7, 3), (5, 5), (1, 4)])
def test_rows_add_up_to_one_and_stay_inside(size_in, size_out):
    taps = bicubic_taps(size_in, size_out)
    np.testing.assert_allclose(taps.weights.sum(axis=1), 1)
    assert taps.indices.min() >= 0
    assert taps.indices.max() < size_in
