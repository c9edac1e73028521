"""Every registered loss, then each against its formula."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kornia_srgan.components.losses.adversarial import VanillaLoss
from kornia_srgan.components.losses.perceptual import PerceptualLoss, gram_matrix, random_shifts
from kornia_srgan.components.losses.pixel import CharbonnierLoss, L1Loss, MSELoss
from kornia_srgan.contracts import AdversarialLoss, ImageLoss
from kornia_srgan.errors import ArgumentError
from kornia_srgan.registry.catalog import ADVERSARIAL_LOSSES, IMAGE_LOSSES
from tests.helpers.image_losses import TinyFeatures, image_loss
from tests.helpers.tolerances import assert_near

NOT_A_DISTANCE = {"tv"}  # looks at SR alone


def pair(size: tuple[int, int] = (24, 24), batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    sr, hr = torch.rand(2, batch, 3, *size, generator=generator)
    return sr.requires_grad_(), hr


@pytest.mark.parametrize("name", IMAGE_LOSSES.names())
class TestEveryImageLoss:
    def test_float32_scalar_with_a_gradient_to_sr(self, name: str) -> None:
        sr, hr = pair()
        loss = image_loss(name)
        assert isinstance(loss, ImageLoss)
        value = loss(sr, hr)
        assert value.shape == ()
        assert value.dtype == torch.float32
        assert value > 0
        value.backward()
        assert sr.grad is not None
        assert (sr.grad.abs().amax((1, 2, 3)) > 0).all()  # every image of the batch
        assert torch.isfinite(sr.grad).all()

    def test_least_at_equality(self, name: str) -> None:
        sr, hr = pair()
        loss = image_loss(name)
        same = loss(hr.clone(), hr)
        if name in NOT_A_DISTANCE:
            assert same == loss(hr, sr.detach())
            return
        assert abs(float(same)) < 2e-3
        assert loss(sr, hr) > 3 * same

    def test_finite_gradient_at_equality(self, name: str) -> None:
        _, hr = pair()
        same = hr.clone().requires_grad_()
        image_loss(name)(same, hr).backward()
        assert torch.isfinite(same.grad).all()

    def test_half_precision_does_not_change_the_figure(self, name: str) -> None:
        sr, hr = (x.detach().bfloat16() for x in pair())
        loss = image_loss(name)
        expected = loss(sr.float(), hr.float())
        assert_near(loss(sr, hr), expected, "loss")
        with torch.autocast("cpu", torch.bfloat16):
            assert_near(loss(sr, hr), expected, "loss")
            assert_near(loss(sr.float(), hr.float()), expected, "loss")

    def test_does_not_train_hr(self, name: str) -> None:
        sr, hr = pair()
        before = hr.clone()
        image_loss(name)(sr, hr).backward()
        assert torch.equal(hr, before)

    def test_small_and_odd_images(self, name: str) -> None:
        for size in ((1, 1), (7, 5), (13, 40)):
            sr, hr = pair(size, batch=1)
            value = image_loss(name)(sr, hr)
            assert torch.isfinite(value)
            value.backward()
            assert torch.isfinite(sr.grad).all()


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
class TestEveryAdversarialLoss:
    @pytest.mark.parametrize("shape", [(4, 1), (2, 1, 5, 3)])
    def test_scalars_with_gradients(self, name: str, shape: tuple[int, ...]) -> None:
        torch.manual_seed(0)
        loss = ADVERSARIAL_LOSSES.create(name)
        assert isinstance(loss, AdversarialLoss)
        real = (torch.randn(shape) * 0.3).requires_grad_()
        fake = (torch.randn(shape) * 0.3 + 0.5).requires_grad_()  # between the targets of every loss
        value = loss.generator(fake, real.detach() if loss.needs_real else None)
        assert value.shape == ()
        assert value.dtype == torch.float32
        (grad,) = torch.autograd.grad(value, fake)
        assert grad.abs().max() > 0
        assert grad.mean() < 0  # higher logits for fakes please the generator
        true_loss, false_loss = loss.discriminator(real, fake)
        assert true_loss.shape == false_loss.shape == ()
        for_real, for_fake = torch.autograd.grad(true_loss + false_loss, (real, fake))
        assert for_real.mean() < 0 < for_fake.mean()

    def test_finite_for_extreme_logits_in_half_precision(self, name: str) -> None:
        loss = ADVERSARIAL_LOSSES.create(name)
        for value in (-1e4, 1e4):
            fake = torch.full((2, 1), value, dtype=torch.float16, requires_grad=True)
            real = torch.full((2, 1), -value, dtype=torch.float16)
            total = loss.generator(fake, real) + sum(loss.discriminator(real, fake))
            assert torch.isfinite(total)
            total.backward()
            assert torch.isfinite(fake.grad).all()

    def test_separated_logits_please_the_discriminator(self, name: str) -> None:
        loss = ADVERSARIAL_LOSSES.create(name)
        good = sum(loss.discriminator(torch.ones(4, 1), torch.zeros(4, 1)))
        confused = sum(loss.discriminator(torch.full((4, 1), 0.5), torch.full((4, 1), 0.5)))
        assert good < confused


class TestPixel:
    def test_by_hand(self) -> None:
        sr = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1)
        hr = torch.tensor([0.1, 0.5, 0.6]).view(1, 3, 1, 1)
        assert float(MSELoss()(sr, hr)) == pytest.approx((0.01 + 0 + 0.16) / 3)
        assert float(L1Loss()(sr, hr)) == pytest.approx((0.1 + 0 + 0.4) / 3)
        expected = (math.sqrt(0.01 + 1e-4) + 0.01 + math.sqrt(0.16 + 1e-4)) / 3
        assert float(CharbonnierLoss(eps=0.01)(sr, hr)) == pytest.approx(expected)

    def test_shapes_must_agree(self) -> None:
        with pytest.raises(ValueError, match="one shape"):
            L1Loss()(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 1, 1))

    def test_eps_must_be_positive(self) -> None:
        with pytest.raises(ArgumentError, match="eps"):
            CharbonnierLoss(eps=0.0)


class TestPerceptual:
    def test_sum_over_layers_by_hand(self) -> None:
        sr, hr = pair()
        extractor = TinyFeatures()
        loss = PerceptualLoss(extractor=extractor, layer_weights={"a": 0.1, "b": 2.0}, feature_scale=0.5)
        f, g = extractor(sr), extractor(hr)
        expected = 0.25 * (0.1 * F.mse_loss(f["a"], g["a"]) + 2 * F.mse_loss(f["b"], g["b"]))
        torch.testing.assert_close(loss(sr, hr), expected)

    def test_l1_and_style_by_hand(self) -> None:
        sr, hr = pair()
        extractor = TinyFeatures()
        loss = PerceptualLoss(extractor=extractor, criterion="l1", feature_scale=1.0, style_weight=3.0)
        f, g = extractor(sr), extractor(hr)
        expected = sum(
            F.l1_loss(f[n], g[n]) + 3 * F.l1_loss(gram_matrix(f[n]), gram_matrix(g[n]))
            for n in extractor.layers
        )
        torch.testing.assert_close(loss(sr, hr), expected)

    def test_papers_scale_is_the_default(self) -> None:
        sr, hr = pair()
        raw = PerceptualLoss(extractor=TinyFeatures(), feature_scale=1.0)(sr, hr)
        torch.testing.assert_close(PerceptualLoss(extractor=TinyFeatures())(sr, hr), raw / 12.75**2)

    def test_normalize_divides_by_hrs_mean_magnitude(self) -> None:
        sr, hr = pair()
        extractor = TinyFeatures()
        weights = {"a": 0.1, "b": 2.0}
        f, g = extractor(sr), extractor(hr)
        loss = PerceptualLoss(
            extractor=extractor, layer_weights=weights, criterion="l1", normalize="hr_mean", feature_scale=7.0
        )
        expected = sum(w * F.l1_loss(f[n], g[n]) / g[n].abs().mean() for n, w in weights.items())
        torch.testing.assert_close(loss(sr, hr), expected)
        squares = PerceptualLoss(extractor=extractor, layer_weights=weights, normalize="hr_mean")
        expected = sum(w * F.mse_loss(f[n], g[n]) / g[n].abs().mean() ** 2 for n, w in weights.items())
        torch.testing.assert_close(squares(sr, hr), expected)

    def test_normalize_is_indifferent_to_the_size_of_features_and_to_none_at_all(self) -> None:
        sr, hr = pair()
        large = TinyFeatures()
        with torch.no_grad():
            for parameter in large.parameters():
                parameter.mul_(300)  # of both layers: "b" grows by 300 squared
            large.two.bias.mul_(300)
        for criterion in ("l1", "mse"):
            known = {"criterion": criterion, "normalize": "hr_mean"}
            expected = PerceptualLoss(extractor=TinyFeatures(), **known)(sr, hr)
            torch.testing.assert_close(PerceptualLoss(extractor=large, **known)(sr, hr), expected)
        with torch.no_grad():
            for parameter in large.parameters():
                parameter.zero_()
        value = PerceptualLoss(extractor=large, normalize="hr_mean")(sr, hr)
        value.backward()
        assert value == 0
        assert torch.isfinite(sr.grad).all()

    @pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
    def test_features_in_half_precision_distances_in_float32(self, half: torch.dtype) -> None:
        sr, hr = pair()
        seen: list[torch.dtype] = []
        extractor = TinyFeatures()
        extractor.two.register_forward_hook(lambda module, given, made: seen.append(made.dtype))
        for arguments in ({}, {"criterion": "l1", "normalize": "hr_mean", "style_weight": 1.0}):
            loss = PerceptualLoss(extractor=extractor, **arguments)
            expected = loss(sr, hr)
            (wanted,) = torch.autograd.grad(expected, sr)
            loss.set_precision(half)
            found = loss(sr, hr)
            assert found.dtype == torch.float32
            torch.testing.assert_close(found, expected, rtol=0.01, atol=0)
            assert found != expected
            (gradient,) = torch.autograd.grad(found, sr)
            assert F.cosine_similarity(gradient.flatten(), wanted.flatten(), 0) > 0.99
            loss.set_precision(None)
            assert loss(sr, hr) == expected
        assert (
            seen == [torch.float32] * 2 + [half] * 2 + [torch.float32] * 4 + [half] * 2 + [torch.float32] * 2
        )

    def test_half_precision_can_be_declined(self) -> None:
        sr, hr = pair()
        loss = PerceptualLoss(extractor=TinyFeatures(), mixed_precision=False)
        expected = loss(sr, hr)
        loss.set_precision(torch.bfloat16)
        assert loss(sr, hr) == expected

    def test_gram_by_hand(self) -> None:
        x = torch.randn(2, 3, 4, 5)
        expected = torch.empty(2, 3, 3)
        for b in range(2):
            for i in range(3):
                for j in range(3):
                    expected[b, i, j] = (x[b, i] * x[b, j]).sum() / 60
        torch.testing.assert_close(gram_matrix(x), expected)

    def test_one_forward_each_and_none_with_a_graph_for_hr(self) -> None:
        sr, hr = pair()
        hr.requires_grad_()
        extractor = TinyFeatures()
        PerceptualLoss(extractor=extractor)(sr, hr).backward()
        assert extractor.calls == 2
        assert hr.grad is None

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"layer_weights": {"a": 1.0}}, "a, b"),
            ({"layer_weights": {"a": 1.0, "c": 1.0}}, "got a, c"),
            ({"criterion": "l2"}, "criterion"),
            ({"style_weight": -1.0}, "style_weight"),
            ({"normalize": "mean"}, "normalize must be 'none' or 'hr_mean'; got 'mean'"),
        ],
    )
    def test_wrong_arguments_are_named(self, arguments: dict, message: str) -> None:
        with pytest.raises(ArgumentError, match=message):
            PerceptualLoss(extractor=TinyFeatures(), **arguments)

    def test_jitter_cuts_both_at_one_offset_that_only_hr_decides(self) -> None:
        torch.manual_seed(3)
        hr = torch.randint(0, 256, (64, 3, 12, 10)) / 255
        positions = torch.arange(120.0).view(1, 1, 12, 10).expand_as(hr)
        cut, same = random_shifts(positions, hr, 3)
        assert cut.shape == same.shape == (64, 3, 9, 7)
        offsets = [divmod(int(x), 10) for x in cut[:, 0, 0, 0]]
        assert set(offsets) == {(y, x) for y in range(4) for x in range(4)}  # every phase
        for image, part, (y, x) in zip(hr, same, offsets, strict=True):
            assert torch.equal(part, image[:, y : y + 9, x : x + 7])
        halves = [random_shifts(positions[half], hr[half], 3)[0] for half in (slice(0, 20), slice(20, 64))]
        assert torch.equal(torch.cat(halves), cut)  # however the batch is shared out

    def test_jitter_compares_what_was_cut(self) -> None:
        sr, hr = pair()
        loss = PerceptualLoss(extractor=TinyFeatures(), jitter=3)
        assert (
            loss(sr, hr).item() == PerceptualLoss(extractor=TinyFeatures())(*random_shifts(sr, hr, 3)).item()
        )
        with pytest.raises(ArgumentError, match="jitter 24 needs images larger than 24 pixels"):
            PerceptualLoss(extractor=TinyFeatures(), jitter=24)(sr, hr)
        with pytest.raises(ArgumentError, match="jitter must be at least 0; got -1"):
            PerceptualLoss(extractor=TinyFeatures(), jitter=-1)


class TestVanilla:
    def test_equals_binary_cross_entropy(self) -> None:
        real, fake = torch.randn(8, 1), torch.randn(8, 1)
        loss = VanillaLoss(label_smoothing=0.1)
        bce = F.binary_cross_entropy
        torch.testing.assert_close(loss.generator(fake), bce(fake.sigmoid(), torch.ones(8, 1)))
        true_loss, false_loss = loss.discriminator(real, fake)
        torch.testing.assert_close(true_loss, bce(real.sigmoid(), torch.full((8, 1), 0.9)))
        torch.testing.assert_close(false_loss, bce(fake.sigmoid(), torch.zeros(8, 1)))

    def test_by_hand(self) -> None:
        assert float(VanillaLoss().generator(torch.tensor([math.log(3.0)]))) == pytest.approx(math.log(4 / 3))

    def test_smoothing_is_bounded(self) -> None:
        with pytest.raises(ArgumentError, match="label_smoothing"):
            VanillaLoss(label_smoothing=0.5)
