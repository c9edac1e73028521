"""What only one of the generators promises."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from kornia.models.rrdbnet import RRDBNet
from torch import nn

from kornia_srgan.components.generators.compact import Compact
from kornia_srgan.components.generators.ecbsr import ECBSR, EdgeConv2d
from kornia_srgan.components.generators.edge_resnet import EdgeResNet
from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.components.generators.layers import scale_steps
from kornia_srgan.components.generators.rrdb import RRDB
from kornia_srgan.components.generators.span import SPAN, Conv3XC
from kornia_srgan.components.generators.srresnet import SRResNet
from kornia_srgan.errors import ArgumentError
from tests.helpers.halo import measured_halo


class TestSRResNet:
    def test_has_the_parameters_of_the_paper_layer_by_layer(self) -> None:
        net = SRResNet(scale=4, channels=64, num_blocks=16)
        head = (3 * 9 * 9 * 64 + 64) + 1  # k9n64s1 and one PReLU slope
        block = (
            2 * (64 * 3 * 3 * 64 + 2 * 64) + 1
        )  # two k3n64s1, each with BatchNorm's scale and shift, PReLU
        body_end = 64 * 3 * 3 * 64 + 2 * 64
        upsample = 2 * ((64 * 3 * 3 * 256 + 256) + 1)  # two k3n256s1, shuffle, PReLU
        tail = 64 * 9 * 9 * 3 + 3
        assert sum(p.numel() for p in net.head.parameters()) == head
        assert [sum(p.numel() for p in b.parameters()) for b in list(net.body)[:16]] == [block] * 16
        assert sum(p.numel() for p in net.upsample.parameters()) == upsample
        assert sum(p.numel() for p in net.tail.parameters()) == tail
        total = sum(p.numel() for p in net.parameters())
        assert total == head + 16 * block + body_end + upsample + tail == 1_547_350

    @pytest.mark.parametrize("scale", [1, 2, 3, 4, 6])
    def test_training_runs_the_tail_before_the_shuffle_with_the_same_result(self, scale: int) -> None:
        torch.manual_seed(0)
        net = SRResNet(scale=scale, channels=4, num_blocks=1).double().train()
        net.tail.weight.data.mul_(10)
        other = copy.deepcopy(net)
        lr = torch.rand(2, 3, 5, 7, dtype=torch.float64)
        found = net(lr)
        first = other.head(lr)
        expected = (other.tail(other.upsample(first + other.body(first))) + 1) / 2
        torch.testing.assert_close(found, expected)
        weight = torch.rand_like(found)
        for image in (found, expected):
            (image * weight).sum().backward()
        for (name, a), b in zip(net.named_parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, msg=name)

    def test_equals_fig_4_written_out(self) -> None:
        torch.manual_seed(0)
        net = SRResNet(scale=4, channels=6, num_blocks=2).train()
        net(torch.rand(2, 3, 8, 8))  # statistics that are not 0 and 1
        net.eval()
        w = net.state_dict()

        def convolve(x: torch.Tensor, key: str) -> torch.Tensor:
            kernel = w[f"{key}.weight"]
            return F.conv2d(x, kernel, w.get(f"{key}.bias"), padding=kernel.shape[-1] // 2)

        def normalise(x: torch.Tensor, key: str) -> torch.Tensor:
            mean, var, scale, shift = (
                w[f"{key}.{p}"].view(1, -1, 1, 1) for p in ("running_mean", "running_var", "weight", "bias")
            )
            return (x - mean) / (var + 1e-5).sqrt() * scale + shift

        def prelu(x: torch.Tensor, key: str) -> torch.Tensor:
            return torch.where(x > 0, x, w[f"{key}.weight"] * x)

        lr = torch.rand(1, 3, 5, 7)
        x = first = prelu(convolve(lr, "head.0"), "head.1")
        for block in ("body.0.layers", "body.1.layers"):
            inner = prelu(normalise(convolve(x, f"{block}.0"), f"{block}.1"), f"{block}.2")
            x = x + normalise(convolve(inner, f"{block}.3"), f"{block}.4")
        x = first + normalise(convolve(x, "body.2"), "body.3")
        for step in ("upsample.0", "upsample.1"):
            x = prelu(F.pixel_shuffle(convolve(x, f"{step}.0"), 2), f"{step}.2")
        expected = (convolve(x, "tail") + 1) / 2
        with torch.no_grad():
            torch.testing.assert_close(net(lr), expected)

    def test_kernels_and_order_of_the_paper(self) -> None:
        net = SRResNet(scale=8, num_blocks=2)
        assert [m.kernel_size for m in net.modules() if isinstance(m, nn.Conv2d)] == (
            [(9, 9)] + [(3, 3)] * 8 + [(9, 9)]
        )
        kinds = [type(m).__name__ for m in net.body[0].layers]
        assert kinds == ["Conv2d", "BatchNorm2d", "PReLU", "Conv2d", "BatchNorm2d"]

    def test_outputs_map_the_networks_range_to_unit(self) -> None:
        lr = torch.rand(1, 3, 4, 4)
        signed = SRResNet(channels=4, num_blocks=1, output="signed").eval()
        unit = SRResNet(channels=4, num_blocks=1, output="unit").eval()
        tanh = SRResNet(channels=4, num_blocks=1, output="tanh").eval()
        unit.load_state_dict(signed.state_dict())
        tanh.load_state_dict(signed.state_dict())
        with torch.no_grad():
            raw = unit(lr)
            torch.testing.assert_close(signed(lr), (raw + 1) / 2)
            torch.testing.assert_close(tanh(lr), (raw.tanh() + 1) / 2)

    @pytest.mark.parametrize("upsampler", ["pixelshuffle", "resize"])
    @pytest.mark.parametrize("norm", ["batch", "none"])
    def test_starts_without_checkerboard(self, upsampler: str, norm: str) -> None:
        """A flat image stays flat through an untrained step: all sub-pixels have the same filter (ICNR)."""
        torch.manual_seed(0)
        net = SRResNet(channels=8, num_blocks=1, upsampler=upsampler, norm=norm).eval()
        with torch.no_grad():
            up = net.upsample[0](torch.full((1, 8, 6, 6), 0.7))[..., 4:8, 4:8]
        assert up.std((2, 3)).max() < 1e-6

    @pytest.mark.parametrize(
        ("upsampler", "scale"), [("resize", 4), ("resize", 3), ("pixelshuffle", 8), ("pixelshuffle", 1)]
    )
    def test_halo_is_exact_for_other_layouts(self, upsampler: str, scale: int) -> None:
        net = SRResNet(scale=scale, channels=3, num_blocks=1, upsampler=upsampler)
        assert measured_halo(net, scale) == net.halo

    def test_norm_none_has_no_batchnorm_and_biases_everywhere(self) -> None:
        net = SRResNet(channels=4, num_blocks=2, norm="none")
        assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
        assert all(m.bias is not None for m in net.modules() if isinstance(m, nn.Conv2d))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"norm": "group"},
            {"body_end": "relu"},
            {"output": "uint8"},
            {"upsampler": "deconv"},
            {"num_blocks": 0},
            {"scale": 9},
        ],
    )
    def test_wrong_arguments_are_named(self, wrong: dict) -> None:
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            SRResNet(**wrong)


class TestEDSR:
    @pytest.mark.parametrize("upsampler", ["direct", "pixelshuffle"])
    @pytest.mark.parametrize("scale", [1, 3, 4])
    def test_starts_near_bilinear(self, upsampler: str, scale: int) -> None:
        torch.manual_seed(0)
        net = EDSR(scale=scale, upsampler=upsampler)
        lr = torch.rand(2, 3, 16, 16)
        bilinear = F.interpolate(lr, scale_factor=scale, mode="bilinear", align_corners=False)
        with torch.no_grad():
            difference = net(lr) - bilinear
        assert 0 < difference.abs().mean() < 0.03

    def test_equals_the_network_written_out(self) -> None:
        torch.manual_seed(0)
        net = EDSR(scale=3, channels=5, num_blocks=1, residual_scale=0.3).eval()
        w = net.state_dict()

        def convolve(x: torch.Tensor, key: str) -> torch.Tensor:
            return F.conv2d(x, w[f"{key}.weight"], w[f"{key}.bias"], padding=1)

        lr = torch.rand(1, 3, 4, 6)
        x = first = convolve(lr - 0.5, "head")
        x = x + 0.3 * convolve(convolve(x, "body.0.conv1").relu(), "body.0.conv2")
        x = first + convolve(x, "body.1")
        bilinear = F.interpolate(lr, size=(12, 18), mode="bilinear")
        with torch.no_grad():
            torch.testing.assert_close(net(lr), F.pixel_shuffle(convolve(x, "tail.0"), 3) + bilinear)

    def test_direct_parameter_count(self) -> None:
        net = EDSR(scale=4, channels=48, num_blocks=6)
        c = 48 * 48 * 9 + 48
        expected = (3 * 48 * 9 + 48) + 6 * 2 * c + c + (48 * 48 * 9 + 48)
        assert sum(p.numel() for p in net.parameters()) == expected

    def test_without_skip_and_with_residual_scale(self) -> None:
        net = EDSR(channels=4, num_blocks=1, bilinear_skip=False, residual_scale=0.0)
        same = EDSR(channels=4, num_blocks=1, bilinear_skip=False)
        with torch.no_grad():
            assert abs(net(torch.rand(1, 3, 4, 4)).mean() - 0.5) < 0.1
            for p in (*same.body[0].parameters(),):
                p.zero_()
        same_state = same.state_dict()
        net.load_state_dict(same_state)
        lr = torch.rand(1, 3, 4, 4)
        torch.testing.assert_close(net(lr), same(lr))

    @pytest.mark.parametrize("scale", [1, 3, 8])
    @pytest.mark.parametrize("upsampler", ["direct", "pixelshuffle"])
    def test_halo_is_exact(self, upsampler: str, scale: int) -> None:
        net = EDSR(scale=scale, channels=3, num_blocks=1, upsampler=upsampler)
        assert measured_halo(net, scale) == net.halo


class TestRRDB:
    def test_parameter_count_and_keys_of_the_published_model(self) -> None:
        net = RRDB(scale=4, channels=64, num_blocks=1, growth_channels=32)
        dense = sum((64 + 32 * i) * 9 * (32 if i < 4 else 64) + (32 if i < 4 else 64) for i in range(5))
        outside = (3 * 9 * 64 + 64) + 4 * (64 * 9 * 64 + 64) + (64 * 9 * 3 + 3)
        assert sum(p.numel() for p in net.parameters()) == 3 * dense + outside
        assert 23 * 3 * dense + outside == 16_697_987  # RealESRGAN_x4plus
        assert {"conv_first.weight", "body.0.rdb3.conv5.bias", "conv_hr.weight"} <= set(net.state_dict())

    @pytest.mark.parametrize("scale", [1, 2])
    def test_is_kornias_network_and_pads_what_does_not_divide(self, scale: int) -> None:
        torch.manual_seed(0)
        net = RRDB(scale=scale, channels=4, num_blocks=1, growth_channels=2).eval()
        reference = RRDBNet(3, 3, scale=scale, num_feat=4, num_block=1, num_grow_ch=2)
        reference.load_state_dict(net.state_dict())
        lr = torch.rand(1, 3, 8, 8)
        with torch.no_grad():
            assert torch.equal(net(lr), reference(lr))
            padded = F.pad(lr[..., :7, :5], (0, {1: 3, 2: 1}[scale], 0, 1), mode="replicate")
            expected = reference(padded)[..., : 7 * scale, : 5 * scale]
            assert torch.equal(net(lr[..., :7, :5]), expected)

    @pytest.mark.parametrize("plus", [False, True])
    @pytest.mark.parametrize(("scale", "doublings"), [(1, 0), (1, 1), (2, 1), (2, 3), (4, 2), (8, 3)])
    def test_every_way_to_a_scale(self, scale: int, doublings: int, plus: bool) -> None:
        net = RRDB(
            scale=scale, channels=4, num_blocks=1, growth_channels=2, doublings=doublings, plus=plus
        ).eval()
        assert net.align == 2**doublings // scale
        with torch.no_grad():
            assert net(torch.rand(1, 3, 7, 5)).shape == (1, 3, 7 * scale, 5 * scale)
        assert sum("conv_up" in key for key in net.state_dict()) == 2 * doublings
        assert measured_halo(net, scale) == net.halo

    def test_doublings_that_do_not_give_the_scale(self) -> None:
        with pytest.raises(ArgumentError, match="1 doublings do not give x4"):
            RRDB(scale=4, doublings=1)


class TestCompact:
    def test_real_checkpoint_loads_and_enlarges(self, shared_data: Path) -> None:
        file = shared_data / "checkpoints" / "realesr-animevideov3.pth"
        state = torch.load(file, map_location="cpu", weights_only=True)["params"]
        net = Compact(scale=4, channels=64, num_convs=16).eval()
        net.load_state_dict(state)
        from PIL import Image

        low = np.asarray(Image.open(shared_data / "eval/Set5/LRx4/img_003.png").convert("RGB"))
        high = np.asarray(Image.open(shared_data / "eval/Set5/HR/img_003.png").convert("RGB"))
        lr, hr = (torch.from_numpy(x.copy()).permute(2, 0, 1)[None] / 255 for x in (low, high))
        with torch.no_grad():
            sr = net(lr)
        psnr = -10 * torch.log10((sr - hr[..., : sr.shape[-2], : sr.shape[-1]]).square().mean())
        assert psnr > 20
        lost = nn.functional.avg_pool2d(sr, 4) - lr  # the colours stay where they were
        assert lost.mean().abs() < 0.01

    def test_by_hand(self) -> None:
        net = Compact(scale=2, channels=4, num_convs=1, activation="relu").eval()
        assert sorted(net.state_dict()) == [f"body.{n}.{p}" for n in (0, 2, 4) for p in ("bias", "weight")]
        with torch.no_grad():
            for p in net.parameters():
                p.zero_()
            net.body[4].bias.copy_(torch.arange(12.0))
            sr = net(torch.zeros(1, 3, 1, 1))
            net.body[4].bias.zero_()
            lr = torch.rand(1, 3, 3, 2)
            repeated = lr.repeat_interleave(2, -1).repeat_interleave(2, -2)
            assert torch.equal(net(lr), repeated)
        assert sr.flatten().tolist() == list(range(12))  # channel c, row y, column x is 4c + 2y + x

    def test_wrong_activation(self) -> None:
        with pytest.raises(ArgumentError, match="activation"):
            Compact(activation="gelu")  # type: ignore[arg-type]


def test_scale_steps() -> None:
    assert [scale_steps(s) for s in range(1, 9)] == [
        (), (2,), (3,), (2, 2), (5,), (2, 3), (7,), (2, 2, 2)
    ]  # fmt: skip
    for wrong in (0, 9, 2.0, True):
        with pytest.raises(ArgumentError, match="scale"):
            scale_steps(wrong)  # type: ignore[arg-type]


class TestSPAN:
    @pytest.mark.parametrize("scale", [2, 4])
    def test_is_the_published_network(self, scale: int) -> None:
        published = pytest.importorskip("spandrel.architectures.SPAN", reason="spandrel is not installed")
        torch.manual_seed(0)
        net = SPAN(scale=scale, channels=8).eval()
        reference = published.SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=scale).eval()
        missing, unknown = reference.load_state_dict(net.state_dict(), strict=False)
        assert not unknown
        assert all(".eval_conv." in key for key in missing)
        lr = torch.rand(2, 3, 9, 7)
        with torch.no_grad():
            torch.testing.assert_close(net(lr), reference(lr))

    def test_parameters_of_the_paper_once_folded(self) -> None:
        net = SPAN(scale=4, channels=48, num_blocks=6)
        folded = sum(9 * m.inputs * m.outputs + m.outputs for m in net.modules() if isinstance(m, Conv3XC))
        outside = sum(p.numel() for m in (net.conv_cat, net.upsampler) for p in m.parameters())
        assert folded + outside == 426_288  # the paper says 426 K


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 5), (5, 5)])
class TestReparametrised:
    @pytest.mark.parametrize("kind", [Conv3XC, EdgeConv2d])
    def test_folded_is_the_same_and_keeps_the_dtype(self, kind: type, inputs: int, outputs: int) -> None:
        torch.manual_seed(0)
        layer = kind(inputs, outputs).double()
        x = torch.randn(2, inputs, 6, 5, dtype=torch.float64)
        torch.testing.assert_close(layer.folded()(x), layer(x))
        assert layer.folded().weight.dtype == torch.float64

    def test_edge_branches_written_out(self, inputs: int, outputs: int) -> None:
        torch.manual_seed(0)
        layer = EdgeConv2d(inputs, outputs).double()
        with torch.no_grad():
            layer.strength.normal_()
        x = torch.randn(2, inputs, 6, 5, dtype=torch.float64)
        wide = layer.expand[0](F.pad(x, (1, 1, 1, 1)))
        expected = layer.plain(x) + F.conv2d(wide, layer.expand[1].weight, layer.expand[1].bias)
        sobel = [[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]
        laplace = [[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]
        for index, edge in enumerate((sobel, [list(row) for row in zip(*sobel, strict=True)], laplace)):
            kernel = torch.tensor(edge, dtype=torch.float64).expand(outputs, 1, 3, 3)
            edges = F.conv2d(layer.mix[index](x), kernel, padding=1, groups=outputs)
            expected = expected + layer.strength[index].view(-1, 1, 1) * edges
        if inputs == outputs:
            expected = expected + x
        torch.testing.assert_close(layer(x), expected)

    def test_autocast_folds_in_float32(self, inputs: int, outputs: int) -> None:
        torch.manual_seed(0)
        layer = Conv3XC(inputs, outputs)
        x, folded = torch.randn(1, inputs, 6, 5), layer.folded()
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(layer(x), folded(x))


class TestECBSR:
    @pytest.mark.parametrize("wrong", [{"activation": "gelu"}, {"skip": "none"}, {"channels": 0}])
    def test_wrong_arguments_are_named(self, wrong: dict) -> None:
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            ECBSR(**wrong)

    @pytest.mark.parametrize("skip", ["nearest", "bilinear"])
    def test_starts_near_the_enlarged_image(self, skip: str) -> None:
        torch.manual_seed(0)
        lr = torch.rand(1, 3, 12, 12)
        with torch.no_grad():
            difference = ECBSR(skip=skip)(lr) - F.interpolate(lr, scale_factor=4, mode=skip)
        assert 0 < difference.abs().mean() < 0.1


class TestEdgeResNet:
    @pytest.mark.parametrize("wrong", ["channels", "num_blocks", "block_convs", "bands"])
    def test_wrong_arguments_are_named(self, wrong: str) -> None:
        with pytest.raises(ArgumentError, match=wrong):
            EdgeResNet(**{wrong: 0})

    def test_starts_near_the_enlarged_image(self) -> None:
        torch.manual_seed(0)
        lr = torch.rand(1, 3, 12, 12)
        with torch.no_grad():
            difference = EdgeResNet()(lr) - F.interpolate(lr, scale_factor=4, mode="bilinear")
        assert 0 < difference.abs().mean() < 0.1

    def test_written_out(self) -> None:
        torch.manual_seed(0)
        net = EdgeResNet(scale=2, channels=8, num_blocks=2, block_convs=3, bands=4).double()
        lr = torch.rand(1, 4, 7, 5, dtype=torch.float64)
        x = net.head(lr - 0.5)
        for number in range(2):
            a, b, c = (net.get_submodule(f"body.{number}.convs.{k}") for k in range(3))
            x = x + c(b(a(x).clamp(min=0)).clamp(min=0))
        expected = F.pixel_shuffle(net.tail[0](x), 2) + F.interpolate(lr, scale_factor=2, mode="bilinear")
        torch.testing.assert_close(net(lr), expected)

    def test_halo(self) -> None:
        net = EdgeResNet(channels=4, num_blocks=2, block_convs=3)
        assert net.halo == measured_halo(net, 4)
