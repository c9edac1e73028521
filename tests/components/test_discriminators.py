"""Every registered discriminator, then what only one of them promises."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from kornia_srgan.components.discriminators.vgg import VGGDiscriminator
from kornia_srgan.errors import ArgumentError
from kornia_srgan.registry.catalog import DISCRIMINATORS
from tests.helpers.small_discriminators import small
from tests.helpers.tolerances import assert_near


@pytest.mark.parametrize("name", DISCRIMINATORS.names())
class TestEveryDiscriminator:
    def test_gives_logits_for_any_crop(self, name: str) -> None:
        net = small(name).eval()
        for size in ((96, 96), (33, 50), (8, 7), (1, 1)):
            with torch.no_grad():
                logits = net(torch.rand(2, 3, *size))
            assert logits.shape[:2] == (2, 1)
            assert logits.ndim in (2, 4)
            assert torch.isfinite(logits).all()

    def test_logits_not_probabilities(self, name: str) -> None:
        torch.manual_seed(0)
        net = small(name).train()
        with torch.no_grad():
            for p in net.parameters():
                p.mul_(5)
            logits = net(torch.rand(8, 3, 32, 32)) - 0.5
        assert logits.abs().max() > 0.5

    def test_every_parameter_and_the_images_get_a_gradient(self, name: str) -> None:
        torch.manual_seed(0)
        net = small(name).train()
        images = torch.rand(4, 3, 32, 32, requires_grad=True)
        net(images).square().mean().backward()
        assert images.grad is not None
        assert images.grad.abs().max() > 0
        for key, parameter in net.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, key
                assert parameter.grad.abs().max() > 0, key

    def test_runs_under_autocast(self, name: str) -> None:
        torch.manual_seed(0)
        net = small(name).eval()
        images = torch.rand(2, 3, 32, 32)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            mixed = net(images)
        with torch.no_grad():
            assert_near(mixed, net(images), torch.bfloat16)

    def test_an_image_does_not_depend_on_its_neighbours_in_eval_mode(self, name: str) -> None:
        net = small(name).eval()
        images = torch.rand(3, 3, 24, 24)
        with torch.no_grad():
            assert_near(net(images)[1:2], net(images[1:2]), "logits")


class TestVGG:
    def test_has_the_parameters_of_the_paper_layer_by_layer(self) -> None:
        net = VGGDiscriminator()
        n = (64, 64, 128, 128, 256, 256, 512, 512)
        convolutions = 3 * 9 * 64 + 64  # the first, without BatchNorm
        for inputs, outputs in pairwise(n):
            convolutions += inputs * 9 * outputs + 2 * outputs
        dense = (512 * 6 * 6 * 1024 + 1024) + (1024 + 1)
        assert sum(p.numel() for p in net.features.parameters()) == convolutions
        assert sum(p.numel() for p in net.parameters()) == convolutions + dense == 23_563_649

    def test_pool_is_the_identity_at_96(self) -> None:
        net = VGGDiscriminator(filters=(4,) * 8, dense=8)
        features = torch.rand(1, 4, 6, 6)
        assert net.features(torch.rand(1, 3, 96, 96)).shape == features.shape
        assert torch.equal(net.pool(features), features)

    @pytest.mark.parametrize("size", [(6, 6), (12, 18), (7, 13), (3, 5)])
    def test_pool_is_the_adaptive_one(self, size: tuple[int, int]) -> None:
        features = torch.rand(2, 4, *size, requires_grad=True)
        wanted = features.detach().clone().requires_grad_()
        pool, adaptive = VGGDiscriminator(filters=(4,) * 8, dense=8).pool, nn.AdaptiveAvgPool2d(6)
        results = pool(features), adaptive(wanted)
        for result in results:
            result.square().sum().backward()
        assert_near(*results, "elementwise")
        assert_near(features.grad, wanted.grad, "elementwise")

    def test_strides_and_order_of_the_paper(self) -> None:
        net = VGGDiscriminator(filters=(4,) * 8, dense=8)
        convolutions = [m for m in net.features if isinstance(m, nn.Conv2d)]
        assert [m.stride[0] for m in convolutions] == [1, 2] * 4
        kinds = [type(m).__name__ for m in net.features][:5]
        assert kinds == ["Conv2d", "LeakyReLU", "Conv2d", "BatchNorm2d", "LeakyReLU"]
        assert all(m.negative_slope == 0.2 for m in net.modules() if isinstance(m, nn.LeakyReLU))

    def test_centres_its_input(self) -> None:
        net = VGGDiscriminator(filters=(4,), strides=(1,), dense=8)
        seen = []
        net.features.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        net(torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1))
        assert seen[0].flatten().tolist() == [-1.0, 0.0, 1.0]

    def test_kernel_sizes_by_layer(self) -> None:
        net = VGGDiscriminator(filters=(4, 4), kernel_sizes=(5, 3), strides=2, dense=8)
        assert [m.kernel_size[0] for m in net.features if isinstance(m, nn.Conv2d)] == [5, 3]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"strides": (1, 2)},
            {"kernel_sizes": 4},
            {"filters": (8, 0), "strides": 1},
            {"filters": ()},
            {"pool": 0},
        ],
    )
    def test_wrong_arguments_are_named(self, wrong: dict) -> None:
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            VGGDiscriminator(**wrong)
