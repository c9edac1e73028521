import math

import pytest
import torch
from torch import nn

from kornia_srgan.assembly import NamedLoss, build_configured
from kornia_srgan.components.losses.adversarial import VanillaLoss
from kornia_srgan.components.losses.pixel import L1Loss, MSELoss
from kornia_srgan.components.transforms.augment import Dihedral
from kornia_srgan.config.model import Component
from kornia_srgan.registry.catalog import ADVERSARIAL_LOSSES, GENERATORS, IMAGE_LOSSES, RESIZERS
from kornia_srgan.training.steps import discriminator_loss, generator_loss, image_loss, make_batch
from tests.helpers.tolerances import assert_near

# What a loss needs to be built offline; others are built by name alone.
ARGUMENTS = {
    "perceptual": {
        "extractor": {"name": "timm", "args": {"model": "vgg11", "weights": "random", "layers": ["relu2_1"]}}
    }
}


def make_loss(name: str) -> nn.Module:
    return build_configured(IMAGE_LOSSES, Component(name=name, args=ARGUMENTS.get(name, {})))


class Judge(nn.Module):
    """Logit = gain * mean of the image + bias."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))
        self.bias = nn.Parameter(torch.tensor(-0.5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.gain * images.mean(dim=(1, 2, 3)).unsqueeze(1) + self.bias


@pytest.fixture
def generator() -> nn.Module:
    torch.manual_seed(0)
    return GENERATORS.create("edsr", scale=2, channels=4, num_blocks=1)


@pytest.mark.parametrize("name", IMAGE_LOSSES.names())
def test_every_image_loss_reaches_the_generator(name: str, generator: nn.Module) -> None:
    lr, hr = torch.rand(2, 3, 24, 24), torch.rand(2, 3, 48, 48)
    report = image_loss(generator(lr), hr, [NamedLoss(name, 1.0, make_loss(name))])
    report.total.backward()
    assert report.total.dtype == torch.float32
    gradients = {n: p.grad for n, p in generator.named_parameters()}
    assert all(g is not None for g in gradients.values())
    assert sum(float(g.abs().sum()) for g in gradients.values() if g is not None) > 0


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
def test_every_adversarial_loss_reaches_the_generator(name: str, generator: nn.Module) -> None:
    lr, hr = torch.rand(2, 3, 6, 6), torch.rand(2, 3, 12, 12)
    kwargs = {"adversarial": ADVERSARIAL_LOSSES.create(name), "adversarial_weight": 1.0}
    with_it = generator_loss(
        generator(lr), hr, [NamedLoss("l1", 1.0, L1Loss())], discriminator=Judge(), **kwargs
    )
    without = generator_loss(generator(lr), hr, [NamedLoss("l1", 1.0, L1Loss())])
    (with_it.total - without.total).backward()
    assert sum(float(p.grad.abs().sum()) for p in generator.parameters() if p.grad is not None) > 0
    assert set(with_it.terms) == {"l1", "adversarial"}


def test_total_is_the_weighted_sum_of_the_terms() -> None:
    sr, hr = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.25)
    report = image_loss(sr, hr, [NamedLoss("a", 2.0, L1Loss()), NamedLoss("b", 10.0, MSELoss())])
    assert report.terms["a"].item() == pytest.approx(2 * 0.25)
    assert report.terms["b"].item() == pytest.approx(10 * 0.0625)
    assert report.total.item() == pytest.approx(1.125)


def test_discriminator_loss_is_true_loss_plus_false_loss_by_hand() -> None:
    judge = Judge()
    hr, sr = torch.full((1, 3, 4, 4), 0.75), torch.full((1, 3, 4, 4), 0.25, requires_grad=True)
    report = discriminator_loss(hr, sr, adversarial=ADVERSARIAL_LOSSES.create("vanilla"), discriminator=judge)
    real, fake = 2 * 0.75 - 0.5, 2 * 0.25 - 0.5
    true_loss, false_loss = math.log1p(math.exp(-real)), math.log1p(math.exp(fake))
    assert report.terms["d_true"].item() == pytest.approx(true_loss, rel=1e-6)
    assert report.terms["d_false"].item() == pytest.approx(false_loss, rel=1e-6)
    assert report.total.item() == pytest.approx(true_loss + false_loss, rel=1e-6)
    assert report.terms["d_accuracy_real"].item() == 1
    assert report.terms["d_accuracy_fake"].item() == 0
    report.total.backward()
    assert judge.gain.grad is not None
    assert sr.grad is None  # nothing reaches the generator


def test_penalties_are_part_of_the_discriminators_loss() -> None:
    """The judge's gradient has norm 2 / sqrt(48) everywhere: squared 1/12."""
    hr, sr = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    adversarial = ADVERSARIAL_LOSSES.create("wgan", gradient_penalty=10.0, r1=6.0)
    judge = Judge()
    report = discriminator_loss(hr, sr, adversarial=adversarial, discriminator=judge)
    penalty = 10 * (math.sqrt(1 / 12) - 1) ** 2 + 6 / 24
    assert report.terms["d_penalty"].item() == pytest.approx(penalty, rel=1e-5)
    expected = report.terms["d_true"] + report.terms["d_false"] + report.terms["d_penalty"]
    torch.testing.assert_close(report.total.detach(), expected)
    report.total.backward()
    plain = ADVERSARIAL_LOSSES.create("vanilla")
    assert "d_penalty" not in discriminator_loss(hr, sr, adversarial=plain, discriminator=judge).terms


def test_a_discriminators_weights_are_rounded_once_for_both_images() -> None:
    """One rounding and one gradient through it; the penalty itself is not autocast."""
    torch.manual_seed(0)
    judge = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Flatten(), nn.Linear(16, 1, bias=False))
    plain = judge.forward
    judge.forward = torch.autocast("cpu", dtype=torch.bfloat16)(plain)  # as Accelerate wraps it
    autocast = []

    class Watched(VanillaLoss):
        def penalty(self, *_: object) -> None:
            autocast.append(torch.is_autocast_enabled("cpu"))

    hr, sr = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    total = discriminator_loss(hr, sr, adversarial=Watched(), discriminator=judge).total
    nodes, left = set(), [total.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            left.extend(after for after, _ in node.next_functions)
    rounded = [node for node in nodes if node.name() == "ToCopyBackward0"]
    assert len(rounded) == 4  # two weights, and the logits of both back to float32
    assert autocast == [False]
    total.backward()
    found = [p.grad for p in judge.parameters()]
    judge.zero_grad()
    judge.forward = plain
    discriminator_loss(hr, sr, adversarial=Watched(), discriminator=judge).total.backward()
    for gradient, parameter in zip(found, judge.parameters(), strict=True):
        assert_near(gradient, parameter.grad, torch.bfloat16)


def test_make_batch_makes_lr_from_the_augmented_hr() -> None:
    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    resizer = RESIZERS.create("matlab_bicubic")
    batch = make_batch(images, range(8), scale=4, resizer=resizer, augmentations=[Dihedral()])
    assert batch.hr.shape == (8, 3, 16, 16)
    assert batch.lr.shape == (8, 3, 4, 4)
    assert not torch.equal(batch.hr, images / 255)
    assert torch.equal(batch.lr, resizer(batch.hr, (4, 4)))
    assert torch.equal(batch.hr.mul(255).round().sum((1, 2, 3)), images.float().sum((1, 2, 3)))
    again = make_batch(images, range(8), scale=4, resizer=resizer, augmentations=[Dihedral()])
    assert torch.equal(again.hr, batch.hr)


def test_adversarial_losses_see_float32_whatever_the_discriminator_computes_in() -> None:
    """In half precision a mean of logits, as relativistic losses take it, would be rounded."""
    seen: list[torch.dtype] = []

    class Watching(nn.Module):
        needs_real = True

        def generator(self, fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
            seen.extend((fake.dtype, real.dtype))
            return fake.mean() - real.mean()

        def discriminator(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            seen.extend((real.dtype, fake.dtype))
            return real.mean(), fake.mean()

    class Half(Judge):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images).half()

    sr, hr = torch.rand(2, 2, 3, 12, 12)
    kwargs = {"adversarial": Watching(), "discriminator": Half()}
    generator_loss(sr, hr, [NamedLoss("l1", 1.0, L1Loss())], adversarial_weight=1.0, **kwargs)
    discriminator_loss(hr, sr, **kwargs)
    assert seen == [torch.float32] * 4
