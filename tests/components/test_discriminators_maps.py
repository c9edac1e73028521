"""The discriminators with a map of logits: U-Net, PatchGAN, timm backbones."""

import pytest
import torch
from torch import nn

from kornia_srgan.components.discriminators.patch import PatchDiscriminator
from kornia_srgan.components.discriminators.timm_backbone import TimmDiscriminator
from kornia_srgan.components.discriminators.unet import UNetDiscriminator
from kornia_srgan.errors import ArgumentError


class TestUNet:
    def test_parameters_of_real_esrgan_by_hand(self) -> None:
        """conv0 (bias), conv1-3 k4, conv4-6 k3, conv7-8 k3 without bias, conv9 (bias)."""
        c = 64
        down = 16 * (c * 2 * c + 2 * c * 4 * c + 4 * c * 8 * c)
        up = 9 * (8 * c * 4 * c + 4 * c * 2 * c + 2 * c * c)
        expected = (27 * c + c) + down + up + 2 * 9 * c * c + (9 * c + 1)
        assert sum(p.numel() for p in UNetDiscriminator().parameters()) == expected == 4_376_897

    def test_every_spectral_norm_is_about_one(self) -> None:
        torch.manual_seed(0)
        net = UNetDiscriminator(channels=4)
        for _ in range(50):
            net(torch.rand(1, 3, 8, 8))
        net.eval()
        normalised = [m.weight for m in net.modules() if hasattr(m, "parametrizations")]
        assert len(normalised) == 8
        for weight in normalised:
            largest = torch.linalg.matrix_norm(weight.detach().flatten(1), ord=2)
            assert largest == pytest.approx(1.0, abs=0.05)

    def test_padding_leaves_whole_sizes_alone_and_skips_can_be_left_out(self) -> None:
        torch.manual_seed(0)
        net, plain = UNetDiscriminator(channels=4).eval(), UNetDiscriminator(channels=4, skip=False).eval()
        plain.load_state_dict(net.state_dict())
        images = torch.rand(1, 3, 16, 24)
        with torch.no_grad():
            whole = net(images)
            assert whole.shape == (1, 1, 16, 24)
            assert not torch.allclose(whole, plain(images))
            # What is cut off is what was padded: a repeated border, given by hand.
            cut = net(images[..., :13, :])
            given = torch.cat([images[..., :13, :], images[..., 12:13, :].expand(-1, -1, 3, -1)], dim=-2)
            torch.testing.assert_close(cut, net(given)[..., :13, :])


class TestPatch:
    @pytest.mark.parametrize(("num_layers", "field"), [(1, 16), (2, 34), (3, 70)])
    def test_receptive_field_of_the_paper(self, num_layers: int, field: int) -> None:
        torch.manual_seed(0)
        net = PatchDiscriminator(channels=4, num_layers=num_layers, norm="none").eval()
        images = torch.rand(1, 3, 160, 160, requires_grad=True)
        logits = net(images)
        logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
        seen = images.grad[0].abs().sum((0, 1)).nonzero().flatten()
        assert int(seen.max() - seen.min()) + 1 == field

    @pytest.mark.parametrize("norm", ["batch", "instance", "spectral", "none"])
    def test_norms(self, norm: str) -> None:
        net = PatchDiscriminator(channels=4, norm=norm).train()
        assert torch.isfinite(net(torch.rand(2, 3, 1, 1))).all()
        kinds = {type(m).__name__ for m in net.modules()}
        assert ("BatchNorm2d" in kinds) == (norm == "batch")
        assert ("InstanceNorm2d" in kinds) == (norm == "instance")
        assert any(hasattr(m, "parametrizations") for m in net.modules()) == (norm == "spectral")

    @pytest.mark.parametrize("wrong", [{"norm": "layer"}, {"num_layers": 0}, {"channels": 0}])
    def test_wrong_arguments_are_named(self, wrong: dict) -> None:
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            PatchDiscriminator(**wrong)


class TestTimm:
    def build(self, **arguments: object) -> TimmDiscriminator:
        torch.manual_seed(0)
        return TimmDiscriminator(
            **{"model": "resnet10t", "layers": (1, 2), "weights": "random", "channels": 8} | arguments
        )

    def test_frozen_backbone_learns_nothing_but_lets_the_gradient_through(self) -> None:
        net = self.build().train()
        images = torch.rand(2, 3, 32, 32, requires_grad=True)
        net(images).sum().backward()
        trained = {name.split(".")[0] for name, p in net.named_parameters() if p.requires_grad}
        assert trained == {"heads"}
        assert all(p.grad is None for p in net.features.parameters())
        assert images.grad.abs().max() > 0

    def test_trained_backbone_gets_gradients_and_keeps_its_statistics(self) -> None:
        net = self.build(frozen=False).train()
        before = {k: v.clone() for k, v in net.features.state_dict().items() if "running" in k}
        assert before
        net(torch.rand(2, 3, 32, 32)).square().sum().backward()
        assert all(p.grad is not None for p in net.features.parameters())
        after = net.features.state_dict()
        assert all(torch.equal(v, after[k]) for k, v in before.items())

    @pytest.mark.parametrize("mixing", [True, False])
    def test_every_scale_counts_the_same(self, mixing: bool) -> None:
        """Two layers of stride 4 and 8 on 32 x 32: two maps of 4 x 4, one above the other."""
        net = self.build(mixing=mixing).eval()
        images = torch.rand(1, 3, 32, 32)
        with torch.no_grad():
            logits = net(images)
            features = list(net.features(images).values())
            if mixing:
                features = net.mixing(features)
            fine, coarse = (head(f) for head, f in zip(net.heads, features, strict=True))
        assert logits.shape == (1, 1, 8, 4)
        torch.testing.assert_close(logits[..., :4, :], nn.functional.avg_pool2d(fine, 2))
        torch.testing.assert_close(logits[..., 4:, :], coarse)

    def test_mixing_reaches_from_coarse_to_fine(self) -> None:
        net = self.build().eval()
        fine, coarse = torch.rand(1, 64, 8, 8), torch.rand(1, 128, 4, 4)
        with torch.no_grad():
            one = net.mixing([fine, coarse])
            other = net.mixing([fine, coarse + 1])
        assert one[0].shape == (1, 8, 8, 8)
        assert not torch.allclose(one[0], other[0])

    def test_transformer(self) -> None:
        net = self.build(model="vit_tiny_patch16_224", layers=(0, 2)).eval()
        with torch.no_grad():
            assert net(torch.rand(1, 3, 40, 24)).shape == (1, 1, 6, 2)
