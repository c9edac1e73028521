"""Frozen convolutions under autocast, against sums in float64 of the same numbers."""

import copy
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.ops import frozen
from kornia_srgan.ops.frozen import FrozenConv2d
from kornia_srgan.ops.packed import pack_weight
from tests.helpers.tolerances import TOLERANCES, assert_near

needs_bfloat16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="oneDNN has no bfloat16 on this processor"
)


@pytest.fixture
def bf16() -> Iterator[None]:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The kernels that were packed."""
    made: list[Tensor] = []

    def pack(weight: Tensor, *rest) -> Tensor:
        made.append(weight)
        return pack_weight(weight, *rest)

    monkeypatch.setattr(frozen, "pack_weight", pack)
    return made


def layer(
    inputs: int, outputs: int, kernel: int = 3, *, relu: bool = True, bias: bool = True
) -> FrozenConv2d:
    torch.manual_seed(inputs + outputs)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias).requires_grad_(False)
    conv.weight.copy_(conv.weight.bfloat16())  # how weights are rounded is tested in test_packed.py
    return FrozenConv2d(conv.to(memory_format=torch.channels_last), relu=relu)


def by_hand(conv: FrozenConv2d, x: Tensor) -> Tensor:
    """In float64, from the input in bfloat16."""
    bias = None if conv.bias is None else conv.bias.double()
    made = F.conv2d(x.bfloat16().double(), conv.weight.double(), bias, padding=conv.padding)
    return made.clamp_min(0) if conv.relu else made


@needs_bfloat16
@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "relu", "bias"),
    [(3, 16, 3, True, True), (16, 8, 3, False, True), (8, 24, 1, True, False), (8, 4, 5, False, False)],
)
def test_forward_and_backward_are_those_of_the_convolution(
    bf16: None, packed: list[Tensor], inputs: int, outputs: int, kernel: int, relu: bool, bias: bool
) -> None:
    conv = layer(inputs, outputs, kernel, relu=relu, bias=bias)
    for size in ((2, 9, 7), (1, 1, 4)):
        x = torch.randn(size[0], inputs, *size[1:], requires_grad=True)
        found, exact = conv(x), by_hand(conv, x)
        assert found.dtype == torch.bfloat16
        # no more than the result's own rounding
        assert torch.allclose(found.double(), exact, rtol=2**-8, atol=TOLERANCES["layer"].atol)
        gradient = torch.randn(exact.shape).bfloat16()
        (got,), (wanted,) = (torch.autograd.grad(y, x, gradient.to(y.dtype)) for y in (found, exact))
        assert got.dtype == torch.float32
        assert_near(got, wanted, torch.bfloat16)
        with torch.no_grad():
            assert torch.equal(conv(x), found)
    assert len(packed) == 2  # one for each way, for all calls


@needs_bfloat16
def test_changed_weights_are_packed_anew_and_copies_pack_their_own(bf16: None, packed: list[Tensor]) -> None:
    conv, x = layer(4, 8), torch.rand(1, 4, 6, 6)
    before, other = conv(x), copy.deepcopy(conv)
    conv.weight.mul_(2)
    assert torch.allclose(conv(x).double(), by_hand(conv, x), rtol=2**-8, atol=TOLERANCES["layer"].atol)
    assert torch.equal(other(x), before)
    assert len(packed) == 6  # two each time, one for each way


@needs_bfloat16
def test_what_cannot_be_packed_is_computed_as_it_was(
    packed: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    conv, x = layer(4, 8), torch.rand(1, 4, 6, 6)
    plain = F.conv2d(x, conv.weight, conv.bias, padding=1).relu()
    assert torch.equal(conv(x), plain)
    with torch.autocast("cpu", dtype=torch.float16):
        assert conv(x).dtype == torch.float16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        conv.requires_grad_(True)
        conv(x).sum().backward()
        assert conv.weight.grad is not None
        conv.requires_grad_(False)
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
        assert_near(conv(x), plain, torch.bfloat16)
    assert not packed
