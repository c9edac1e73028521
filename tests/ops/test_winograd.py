"""The detour over six small convolutions, and tails in strips, against the direct way in float64."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kornia_srgan.ops import packed, winograd
from kornia_srgan.ops.fused import Residual, Slope, Tail
from kornia_srgan.ops.winograd import WinogradConv2d, row_strips, rows_around, suits_winograd
from kornia_srgan.optimize.optimize import optimize_for_inference
from tests.helpers.names import generator_names
from tests.helpers.small_generators import scales, small
from tests.helpers.tolerances import assert_near
from tests.helpers.trained import trained

SIZES = ((1, 1, 1), (1, 2, 5), (2, 5, 3), (1, 8, 7), (2, 13, 6), (1, 27, 4))


@pytest.fixture
def always(monkeypatch):
    """The detour for all images and channels, in strips of a few rows."""
    monkeypatch.setattr(winograd, "_LEAST_WORK", 0)
    monkeypatch.setattr(winograd, "_LEAST_CHANNELS", (1, 1))
    monkeypatch.setattr(winograd, "_STRIP_BYTES", 1500)
    monkeypatch.setattr(packed, "detour_pays", lambda inputs, outputs: True)


def laid_out(*shape, seed=0):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return x.to(memory_format=torch.channels_last)


def convolution(inputs, outputs, kernel=3, *, bias=True):
    torch.manual_seed(inputs + outputs)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias).requires_grad_(False)
    return conv.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 5), (8, 4)])
def test_is_the_convolution(inputs, outputs, bias, always, monkeypatch):
    conv = convolution(inputs, outputs, bias=bias)
    ready = WinogradConv2d(conv)
    monkeypatch.setattr(nn.Conv2d, "forward", None)  # the direct way would fail
    for batch, height, width in SIZES:
        x = laid_out(batch, inputs, height, width)
        found = ready(x)
        exact = F.conv2d(
            x.double(), conv.weight.double(), None if not bias else conv.bias.double(), padding=1
        )
        assert found.shape == exact.shape
        assert_near(found.double(), exact, "layer")


def test_rounding_is_that_of_the_direct_way_times_a_few(always):
    conv, x = convolution(64, 64), laid_out(1, 64, 24, 24)
    exact = F.conv2d(x.double(), conv.weight.double(), conv.bias.double(), padding=1)
    direct, found = ((c(x).double() - exact).square().mean().sqrt() for c in (conv, WinogradConv2d(conv)))
    assert found < 10 * direct


def test_takes_the_direct_way_where_it_must(always, monkeypatch):
    conv, x = convolution(4, 4), laid_out(1, 4, 8, 8)
    ready = WinogradConv2d(conv)
    monkeypatch.setattr(winograd, "winograd_convolve", None)  # the detour would fail
    ready(x.contiguous())
    with torch.autocast("cpu", torch.bfloat16):
        assert ready(x).dtype == torch.bfloat16
    assert WinogradConv2d(convolution(4, 4)).double()(x.double()).dtype == torch.float64
    trained = WinogradConv2d(nn.Conv2d(4, 4, 3, padding=1).to(memory_format=torch.channels_last))
    trained(x).sum().backward()
    assert trained.weight.grad is not None
    monkeypatch.setattr(winograd, "_LEAST_WORK", 8 * 8 * 4 * 4 * 9 + 1)
    ready(x)
    with pytest.raises(TypeError):  # a batch is more work than an image
        ready(laid_out(2, 4, 8, 8))


@pytest.mark.parametrize("bias", [True, False])
def test_the_gradient_of_the_input_takes_the_detour_too(bias, always, monkeypatch):
    conv = convolution(6, 5, bias=bias)
    ready = WinogradConv2d(conv)
    for batch, height, width in SIZES:
        x = laid_out(batch, 6, height, width)
        wanted = laid_out(batch, 5, height, width, seed=1)
        gradients = []
        for dtype, call in ((torch.float64, copy.deepcopy(conv).double()), (torch.float32, ready)):
            if call is ready:
                monkeypatch.setattr(nn.Conv2d, "forward", None)
            given = x.to(dtype).detach().requires_grad_()
            (F.relu_(call(given)) * wanted.to(dtype)).sum().backward()
            gradients.append(given.grad.double())
        monkeypatch.undo()
        monkeypatch.setattr(winograd, "_LEAST_WORK", 0)
        assert_near(gradients[1], gradients[0], "layer")


def test_the_kernels_follow_the_weight(always):
    conv, x = convolution(4, 5), laid_out(1, 4, 8, 8)
    ready = WinogradConv2d(conv)
    first = ready(x)
    ready.load_state_dict({k: 2 * v for k, v in conv.state_dict().items()})
    torch.testing.assert_close(ready(x), 2 * first)
    ready.weight.data, ready.bias.data = 3 * conv.weight.data, 3 * conv.bias.data
    torch.testing.assert_close(ready(x), 6 * first)
    assert list(ready.state_dict()) == list(conv.state_dict())


def test_a_compiler_sees_the_plain_convolution(always):
    conv, x, seen = convolution(4, 5), laid_out(1, 4, 8, 8), []
    compiled = torch.compile(WinogradConv2d(conv), backend=lambda graph, _: seen.append(graph) or graph)
    torch.testing.assert_close(compiled(x), conv(x))
    assert len(seen) == 1
    called = [str(node.target) for node in seen[0].graph.nodes if node.op == "call_function"]
    assert [name.count("conv2d") for name in called] == [1]


def test_what_suits():
    assert suits_winograd(nn.Conv2d(64, 64, 3, padding=1))
    others = [
        nn.Conv2d(64, 64, 5, padding=2),
        nn.Conv2d(64, 64, 3),
        nn.Conv2d(64, 64, 3, padding=1, stride=2),
        nn.Conv2d(64, 64, 3, padding=1, groups=2),
        nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(64, 64, 3, padding=2, dilation=2),
        nn.Conv2d(64, 64, 3, padding=1).double(),
        nn.Conv2d(3, 64, 3, padding=1),
        nn.Conv2d(64, 12, 3, padding=1),
        nn.Linear(64, 64),
    ]
    assert not any(map(suits_winograd, others))


def test_strips_cover_the_image_once(always):
    for height in (1, 3, 4, 5, 12, 13, 31):
        x = laid_out(1, 8, height, 5)
        found = list(row_strips(x, 8))
        assert [top for top, _ in found] == [0, *(bottom for _, bottom in found[:-1])]
        assert height <= found[-1][1] < height + 4
        assert all((bottom - top) % 4 == 0 for top, bottom in found)
        padded = F.pad(x, (0, 0, 1, 8))
        for top, bottom in found:
            assert torch.equal(rows_around(x, top, bottom), padded[:, :, top : bottom + 2])


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_tail_in_strips(kernel, wide, always, monkeypatch):
    first, second = convolution(6, 8), convolution(8, 3, kernel, bias=kernel != 3)
    tail = Tail(WinogradConv2d(first) if wide else first, Slope(-0.3), second)
    in_strips = []
    run = tail._in_strips
    monkeypatch.setattr(tail, "_in_strips", lambda x, p: in_strips.append(p) or run(x, p))
    for batch, height, width in SIZES:
        x = laid_out(batch, 6, height, width)
        expected = second(F.leaky_relu(first(x), -0.3))
        assert_near(tail(x), expected, "layer")
    assert in_strips


@pytest.mark.parametrize("name", generator_names())
@pytest.mark.parametrize("scale", [2, 4])
def test_every_generator_gives_the_same_image(name, scale, always):
    assert scale in scales(name)
    net = trained(small(name, scale=scale)).eval().requires_grad_(False)
    ready = optimize_for_inference(net)
    assert any(isinstance(m, WinogradConv2d) for m in ready.modules())
    for batch, height, width in SIZES:
        lr = laid_out(batch, 3, height, width).sigmoid()
        expected = net(lr.contiguous())
        before = lr.clone()
        assert_near(ready(lr), expected, "network")
        assert torch.equal(lr, before)


def test_a_layer_used_twice_stays_one(always):
    class Twice(nn.Module):
        scale, halo = 1, 2

        def __init__(self):
            super().__init__()
            self.a = self.b = convolution(3, 3)

        def forward(self, lr):
            return self.b(self.a(lr))

    net = Twice()
    ready = optimize_for_inference(net)
    assert ready.a is ready.b
    x = laid_out(1, 3, 9, 9)
    assert_near(ready(x), net(x), "layer")


def test_a_residual_leaves_its_input_and_takes_gradients():
    first, second, x = convolution(4, 4), convolution(4, 4), laid_out(1, 4, 5, 6)
    block = Residual(first, Slope(-0.2), second, 0.5)
    before = x.clone()
    expected = x + 0.5 * second(F.leaky_relu(first(x), -0.2))
    torch.testing.assert_close(block(x), expected)
    assert torch.equal(x, before)
    gradients = []
    for call in (block, lambda v: v + 0.5 * second(F.leaky_relu(first(v), -0.2))):
        given = x.clone().requires_grad_()
        call(given).square().sum().backward()
        gradients.append(given.grad)
    torch.testing.assert_close(*gradients)
    with torch.autocast("cpu", torch.bfloat16):
        assert_near(block(x), expected, torch.bfloat16)
