"""The optimised generator gives the image of the plain one."""

import copy

import pytest
import torch
from torch import nn

from kornia_srgan.components.generators.edge_resnet import EdgeResNet
from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.components.generators.srresnet import SRResNet
from kornia_srgan.errors import UserError
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.ops import winograd
from kornia_srgan.ops.fused import Slope
from kornia_srgan.optimize.device import pick_dtype
from kornia_srgan.optimize.optimize import dtype_for, optimize_for_inference
from kornia_srgan.optimize.rewrites import (
    _in_place,
    before_shuffle,
    count_folded_parameters,
    folded_copy,
)
from tests.helpers.generators import Unshuffled
from tests.helpers.names import generator_names
from tests.helpers.small_generators import scales, small
from tests.helpers.tolerances import assert_near
from tests.helpers.trained import SIZES, trained


def check(net: nn.Module) -> nn.Module:
    ready = optimize_for_inference(net)
    net.eval()
    random = torch.Generator().manual_seed(1)
    for size in SIZES:
        lr = torch.rand(2, 3, *size, generator=random)
        with torch.no_grad():
            expected, found = net(lr), ready(lr)
        assert_near(found, expected, "network")
    return ready


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("name", generator_names())
class TestEveryGenerator:
    def test_gives_the_same_image(self, name, scale):
        if scale not in scales(name):
            pytest.skip(f"{name} has no x{scale}")
        check(trained(small(name, scale=scale)))

    def test_in_bfloat16_as_near_as_the_plain_module(self, name, scale):
        if scale not in scales(name):
            pytest.skip(f"{name} has no x{scale}")
        net = trained(small(name, scale=scale)).eval()
        lr = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            exact = net(lr)
            plain = copy.deepcopy(net).bfloat16()(lr.bfloat16()).float()
        lost = (plain - exact).abs().max().item()
        with torch.no_grad():
            found = optimize_for_inference(net, dtype=torch.bfloat16)(lr.bfloat16())
        assert found.dtype == torch.bfloat16
        assert (found.float() - exact).abs().max().item() <= 2 * lost + 0.01


@pytest.mark.parametrize("name", generator_names())
def test_keeps_what_the_upscaler_asks_for_and_the_original(name):
    net = trained(small(name, scale=2)).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    ready = optimize_for_inference(net, dtype=torch.bfloat16)
    for attribute in ("scale", "halo", "align"):
        assert getattr(ready, attribute, None) == getattr(net, attribute, None)
    assert not any(m.training for m in ready.modules())
    assert all(not p.requires_grad and p.dtype == torch.bfloat16 for p in ready.parameters())
    assert all(m.training for m in net.modules())
    assert all(p.requires_grad and p.dtype == torch.float32 for p in net.parameters())
    assert net.state_dict().keys() == before.keys()
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key])
        assert value.is_contiguous()


@pytest.mark.parametrize(
    "options",
    [
        {"norm": "none"},
        {"upsampler": "resize"},
        {"output": "tanh"},
        {"output": "unit", "body_end": "prelu"},
    ],
)
def test_every_kind_of_srresnet(options):
    check(trained(SRResNet(scale=4, channels=6, num_blocks=2, **options)))


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 6])
def test_edsr_of_the_paper(scale):
    net = EDSR(scale=scale, channels=6, num_blocks=1, upsampler="pixelshuffle", bilinear_skip=False)
    ready = check(trained(net))
    kernels = [m.out_channels for m in ready.modules() if isinstance(m, nn.Conv2d)]
    last_factor = {1: 1, 2: 2, 3: 3, 4: 2, 6: 3}[scale]
    assert kernels[-1] == 3 * last_factor**2


def test_what_becomes_of_srresnet():
    ready = optimize_for_inference(SRResNet(scale=4, channels=64, num_blocks=1))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in ready.modules())
    tail = [m for m in ready.modules() if isinstance(m, nn.Conv2d)][-1]
    assert (tail.in_channels, tail.out_channels, tail.kernel_size) == (256, 12, (5, 5))
    assert tail.weight.is_contiguous(memory_format=torch.channels_last)
    plain = optimize_for_inference(SRResNet(channels=8, num_blocks=1), channels_last=False)
    assert all(p.is_contiguous() for p in plain.parameters())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9])
def test_a_convolution_before_the_shuffle(kernel, factor, bias):
    torch.manual_seed(kernel * factor)
    conv = nn.Conv2d(2, 3, kernel, padding=kernel // 2, bias=bias).double()
    wide = before_shuffle(conv, factor)
    shuffle = nn.PixelShuffle(factor)
    for size in SIZES:
        x = torch.randn(2, 2 * factor**2, *size, dtype=torch.float64)
        torch.testing.assert_close(shuffle(wide(x)), conv(shuffle(x)))


def test_leaves_other_modules_as_they_are():
    class Reordered(SRResNet):
        """The same modules, used otherwise: folding them would change the image."""

        def forward(self, lr):
            inner = self.head(lr)
            inner = self.body[-2](self.body[-1](inner))
            return self.tail(self.upsample(inner))

    check(trained(Reordered(scale=2, channels=6, num_blocks=1)))
    check(Unshuffled())


def test_leaves_what_carries_a_hook_or_a_parametrization():
    net = trained(SRResNet(scale=2, channels=6, num_blocks=1))
    nn.utils.parametrizations.spectral_norm(net.tail)
    net.eval()(torch.rand(1, 3, 4, 4))
    check(net)
    net = trained(SRResNet(scale=2, channels=6, num_blocks=1))
    net.body[-1].register_forward_hook(lambda module, inputs, output: output * 2)
    check(net)


def test_a_channel_wise_slope_stays_behind_its_shuffle():
    net = trained(SRResNet(scale=2, channels=6, num_blocks=1))
    net.upsample[0][2] = nn.PReLU(6)
    with torch.no_grad():
        net.upsample[0][2].weight.copy_(torch.linspace(-0.5, 0.5, 6))
    ready = check(net)
    assert isinstance(ready.tail, nn.Conv2d)


@pytest.mark.parametrize("name", ["srresnet", "edsr", "msrresnet"])
@pytest.mark.parametrize("part", ["all", "last", "all but the last"])
def test_another_padding_is_kept_in_strips_too(name, part, monkeypatch):
    monkeypatch.setattr(winograd, "_STRIP_BYTES", 500)
    net = trained(small(name, scale=2))
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    chosen = {"all": convolutions, "last": convolutions[-1:], "all but the last": convolutions[:-1]}
    for conv in chosen[part]:
        conv.padding_mode = "replicate"
    check(net)


def test_a_tail_in_groups_stays():
    net = trained(SRResNet(scale=2, channels=6, num_blocks=1))
    net.tail = nn.Conv2d(6, 3, 9, padding=4, groups=3)
    assert isinstance(check(net).tail, nn.Conv2d)


def test_statistics_that_are_not_kept_are_not_folded():
    net = trained(SRResNet(scale=2, channels=6, num_blocks=1))
    net.body[-1] = nn.BatchNorm2d(6, track_running_stats=False)
    assert isinstance(check(net).body[-1], nn.BatchNorm2d)


def test_folded_weights_are_rounded_once():
    net = trained(SRResNet(scale=2, channels=6, num_blocks=1)).bfloat16().eval()
    conv, norm = net.body[-2], net.body[-1]
    factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    exact = conv.weight.double() * factor[:, None, None, None]
    assert torch.equal(optimize_for_inference(net).body[-2].weight, exact.bfloat16())


def test_an_activation_overwrites_only_what_a_convolution_made():
    layers = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1), nn.LeakyReLU(0.2), nn.Sigmoid(), nn.ReLU())
    _in_place(layers)
    assert [isinstance(layer, Slope) for layer in layers] == [False, False, True, False, False]


def test_the_gradient_of_the_image_is_the_same():
    net = trained(SRResNet(scale=2, channels=6, num_blocks=1)).eval()
    lr = torch.rand(1, 3, 5, 4)
    gradients = []
    for module in (net, optimize_for_inference(net)):
        given = lr.clone().requires_grad_()
        module(given).square().sum().backward()
        gradients.append(given.grad)
    assert_near(gradients[1], gradients[0], "network gradient")


def test_dtype_goes_by_the_device():
    net = EDSR(channels=8, num_blocks=1)
    assert next(optimize_for_inference(net, dtype="auto", device="cpu").parameters()).dtype == torch.float32
    assert dtype_for(torch.device("cuda")) == torch.float16
    assert pick_dtype("auto") == torch.float32
    assert pick_dtype("auto", torch.device("cuda", 0)) == torch.float16
    assert Upscaler(net, device="cpu", dtype="auto").dtype == torch.float32


def test_compiled_gives_the_same_image_and_keys():
    net, lr = trained(SRResNet(scale=2, channels=8, num_blocks=1)).eval(), torch.rand(1, 3, 9, 6)
    ready = optimize_for_inference(net, compile=True)
    plain = optimize_for_inference(net)
    assert plain._compiled_call_impl is None
    assert ready._compiled_call_impl is not None
    assert list(ready.state_dict()) == list(plain.state_dict())
    torch._dynamo.utils.counters.clear()
    with torch.no_grad():
        assert_near(ready(lr), plain(lr), "network")
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_a_graph_needs_cuda():
    net = EDSR(channels=4, num_blocks=1)
    with pytest.raises(UserError, match="a CUDA graph needs a generator on a CUDA device"):
        optimize_for_inference(net, graph_shape=(1, 3, 8, 8))


def test_made_and_run_in_inference_mode():
    with torch.inference_mode():
        net = SRResNet(channels=64, num_blocks=1).eval()
        lr = torch.rand(1, 3, 120, 110)
        assert_near(optimize_for_inference(net)(lr), net(lr), "deep")


def test_parameters_are_counted_as_they_run():
    net = EdgeResNet(scale=2, channels=8, num_blocks=1, block_convs=2)
    single = (3 * 9 + 1) * 8 + 2 * (8 * 9 + 1) * 8 + (8 * 9 + 1) * 12  # head, two convolutions, tail
    assert count_folded_parameters(net) == single
    assert sum(p.numel() for p in net.parameters()) > 2 * single  # the original keeps its branches


@pytest.mark.parametrize("name", generator_names())
def test_as_many_parameters_are_counted_as_a_folded_copy_has(name):
    net = small(name)
    assert count_folded_parameters(net) == sum(p.numel() for p in folded_copy(net).parameters())
