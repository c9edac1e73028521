"""Mean distances give PyTorch's values and gradients, in the dtype and layout of their input."""

import pytest
import torch
import torch.nn.functional as F

from kornia_srgan.ops.distances import mean_absolute, mean_square
from tests.helpers.tolerances import assert_near

ORACLES = {mean_square: F.mse_loss, mean_absolute: F.l1_loss}
KINDS = (torch.float32, torch.bfloat16, torch.float16)


def features(dtype, seed=0, memory_format=torch.channels_last):
    values = torch.randn(2, 5, 7, 6, generator=torch.Generator().manual_seed(seed)) * 30
    return values.to(dtype).contiguous(memory_format=memory_format)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("distance", ORACLES)
def test_values_and_gradients_are_pytorchs(distance, dtype):
    sr, hr = features(dtype).requires_grad_(), features(dtype, 1)
    found = distance(sr, hr)
    (0.3 * found).backward()
    exact = sr.detach().double().requires_grad_()
    expected = ORACLES[distance](exact, hr.double())
    (0.3 * expected).backward()
    assert found.dtype == torch.float32
    assert_near(found.detach() / expected.detach(), torch.ones(()), torch.float32)
    assert sr.grad.dtype == dtype
    largest = exact.grad.abs().max()
    assert_near(sr.grad / largest, exact.grad / largest, dtype)


@pytest.mark.parametrize("distance", ORACLES)
def test_many_values_are_summed_exactly(distance):
    # A sum in one float32 would be off by a thousandth here.
    sr, hr = torch.rand(2**23, generator=torch.Generator().manual_seed(0)), torch.zeros(2**23)
    expected = ORACLES[distance](sr.double(), hr.double())
    assert abs(float(distance(sr, hr)) / float(expected) - 1) < 1e-6


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("distance", ORACLES)
def test_the_gradient_lies_as_its_input_does(distance, memory_format):
    sr = features(torch.bfloat16, memory_format=memory_format).requires_grad_()
    distance(sr, features(torch.bfloat16, 1)).backward()
    assert sr.grad.stride() == sr.stride()


@pytest.mark.parametrize("distance", ORACLES)
def test_inputs_stay_and_equal_ones_have_no_gradient(distance):
    sr, hr = features(torch.float32).requires_grad_(), features(torch.float32)
    distance(sr, hr).backward()
    assert torch.equal(sr.detach(), features(torch.float32))
    assert torch.equal(hr, features(torch.float32))
    assert not sr.grad.any()
