"""Packed convolutions against the plain ones in float64."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kornia_srgan.ops import packed
from kornia_srgan.ops.packed import Activation, PackedConv2d, can_become_packed
from kornia_srgan.ops.precise import PreciseConv2d, with_rests
from kornia_srgan.ops.rounding import round_to
from tests.helpers.tolerances import assert_near

SIZES = ((1, 1, 1), (1, 2, 5), (2, 5, 3), (1, 8, 7), (2, 13, 6))
ACTIVATIONS = {
    "none": (Activation(), lambda x: x),
    "relu": (Activation("relu"), torch.relu),
    "leaky_relu": (Activation("leaky_relu", 0.2), lambda x: F.leaky_relu(x, 0.2)),
    "swish": (Activation("swish"), F.silu),
}


def image(*shape, seed=0):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return x.to(memory_format=torch.channels_last)


def convolution(inputs=20, outputs=24, kernel=3, *, bias=True):
    torch.manual_seed(0)
    padding = kernel // 2 if isinstance(kernel, int) else tuple(side // 2 for side in kernel)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=bias).requires_grad_(False)
    return conv.to(memory_format=torch.channels_last)


def exact(conv, x):
    bias = None if conv.bias is None else conv.bias.double()
    return F.conv2d(x.double(), conv.weight.double(), bias, padding=conv.padding)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("kernel", "bias"), [(3, True), (3, False), (1, True), ((1, 5), True)])
def test_is_the_convolution_and_the_activation(name, kernel, bias):
    conv = convolution(kernel=kernel, bias=bias)
    activation, function = ACTIVATIONS[name]
    ready = PackedConv2d(conv, activation)
    for size in SIZES:
        x = image(size[0], 20, *size[1:])
        before = x.clone()
        assert_near(ready(x).double(), function(exact(conv, x)), "layer")
        assert torch.equal(x, before)


def test_the_operator_is_used_and_the_plain_way_is_not(monkeypatch):
    conv, x = convolution(), image(1, 20, 6, 5)
    ready = PackedConv2d(conv)
    monkeypatch.setattr(nn.Conv2d, "forward", None)
    ready(x)
    with pytest.raises(TypeError):
        ready(x.contiguous(memory_format=torch.contiguous_format))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_sum_is_added_before_rounding(dtype):
    conv = convolution(24, 24).to(dtype)
    x, other = image(1, 24, 6, 5).to(dtype), image(1, 24, 6, 5, seed=1).to(dtype)
    before = other.clone()
    found = PackedConv2d(conv)(x, add=other)
    assert torch.equal(other, before)
    assert found.dtype == dtype
    expected = exact(conv, x) + other.double()
    once = (expected - expected.to(dtype).double()).abs().max().item()
    assert (found.double() - expected).abs().max() <= 2 * once + 1e-5


def test_no_sum_after_an_activation():
    with pytest.raises(ValueError, match="sum"):
        PackedConv2d(convolution(24, 24), Activation("relu")).rows(image(1, 24, 6, 5), add=image(1, 24, 6, 5))


def test_rows_are_those_of_the_whole():
    conv = convolution()
    ready, x = PackedConv2d(conv), image(1, 20, 9, 5)
    torch.testing.assert_close(ready.rows(x[:, :, 2:7]), ready(x)[:, :, 3:6])


@pytest.mark.parametrize("inner", [True, False])
def test_low_precision_multiplies_in_bfloat16_and_sums_in_float32(inner):
    conv = convolution(64, 8)
    conv.bias.fill_(1.00171)  # not a bfloat16; rounded it would shift everything by 0.0017
    ready, x = PackedConv2d(conv, compute=torch.bfloat16, inner=inner), image(1, 64, 12, 12)
    found = ready(x)
    assert found.dtype == (torch.bfloat16 if inner else torch.float32)
    error = found.double() - exact(conv, x)
    assert 0 < error.abs().max() < 0.05
    assert error.mean().abs() < 5e-4


def test_gradients_take_the_plain_way():
    conv, x = convolution(), image(1, 20, 6, 5).requires_grad_()
    PackedConv2d(conv, Activation("relu"), compute=torch.bfloat16)(x).sum().backward()
    found = x.grad.clone()
    x.grad = None
    F.relu(conv(x)).sum().backward()
    torch.testing.assert_close(found, x.grad)


def test_copies_pickles_and_new_weights():
    conv, x = convolution(), image(1, 20, 6, 5)
    ready = PackedConv2d(conv)
    first = ready(x)
    torch.testing.assert_close(copy.deepcopy(ready)(x), first)
    with torch.no_grad():
        ready.weight.mul_(2)
    assert_near(ready(x).double(), exact(conv, x), "layer")
    assert ready.state_dict().keys() == conv.state_dict().keys()
    half = ready.bfloat16()(x.bfloat16())
    assert_near(half, exact(conv, x), torch.bfloat16)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stride": 2, "padding": 1},
        {"padding": 0},
        {"padding": 1, "groups": 4},
        {"padding": 2, "dilation": 2},
        {"padding": 1, "padding_mode": "reflect"},
    ],
)
def test_other_convolutions_stay(wrong):
    assert not can_become_packed(nn.Conv2d(20, 24, 3, **wrong))
    assert can_become_packed(nn.Conv2d(20, 24, 3, padding=1))


def test_winograd_where_it_is_measured_to_pay(monkeypatch):
    conv, x = convolution(32, 48), image(1, 32, 180, 180)
    ready = PackedConv2d(conv, Activation("relu"))
    for pays in (True, False):
        monkeypatch.setattr(packed, "detour_pays", lambda inputs, outputs, pays=pays: pays)
        assert ready.pays(x, 180) is pays
        assert_near(ready(x).double(), exact(conv, x).relu(), "network")


@pytest.mark.parametrize("slope", [1.0, 0.3])
def test_rests_give_the_following_layer_twice_the_bits(slope):
    first, second = convolution(32, 24), convolution(24, 20)
    with torch.no_grad():
        first.bias.add_(3)
        first.weight.mul_(0.3)
        first.weight.copy_(first.weight.bfloat16())
    activation = Activation("leaky_relu", slope)
    low = PackedConv2d(first, activation, compute=torch.bfloat16, inner=True)
    channels = torch.tensor([0, 5, 23])
    precise = PreciseConv2d(low, channels)
    x = image(1, 32, 9, 8).bfloat16().float()
    found = precise(x)
    wanted = F.leaky_relu(exact(first, x), slope)
    assert found.shape[1] == 27
    lost = (found[:, channels].double() - wanted[:, channels]).abs().max()
    kept = (found[:, channels].double() + found[:, 24:].double() - wanted[:, channels]).abs().max()
    assert kept < lost / 20
    after = with_rests(PackedConv2d(second, compute=torch.bfloat16), channels)
    assert after.weight.shape[1] == 27
    torch.testing.assert_close(after(found).double(), exact(second, wanted), atol=0.05, rtol=0)


def test_rests_are_zero_where_nothing_is_rounded():
    precise = PreciseConv2d(PackedConv2d(convolution(32, 24), compute=torch.bfloat16), torch.tensor([1]))
    x = torch.randn(1, 32, 4, 4)  # not channels-last
    assert not precise(x)[:, 24:].any()


def test_rounding_keeps_the_sums():
    weight = torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    found = round_to(weight, torch.bfloat16)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, found.float().bfloat16())
    plain, ours = (
        (w.double().sum((2, 3)) - weight.double().sum((2, 3))).abs() for w in (weight.bfloat16(), found)
    )
    assert ours.mean() < plain.mean() / 10
    assert (found.double() - weight).abs().max() < 0.02 * weight.abs().max()
    assert round_to(weight, torch.float32) is weight
