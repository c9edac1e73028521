"""Each adversarial loss against its formula, and the penalties that they carry."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.components.losses.adversarial import (
    HingeLoss,
    LSGANLoss,
    RelativisticAverageLoss,
    WGANLoss,
)
from kornia_srgan.errors import ArgumentError
from kornia_srgan.registry.catalog import ADVERSARIAL_LOSSES
from tests.helpers.tolerances import about

REAL = torch.tensor([[2.0], [0.5]])
FAKE = torch.tensor([[-3.0], [0.25]])


def values(*losses: Tensor) -> list[float]:
    return [about(float(x), "elementwise") for x in losses]


def test_hinge_by_hand() -> None:
    loss = HingeLoss()
    assert values(*loss.discriminator(REAL, FAKE)) == [(0 + 0.5) / 2, (0 + 1.25) / 2]
    assert values(loss.generator(FAKE)) == [(3.0 - 0.25) / 2]


def test_lsgan_by_hand() -> None:
    loss = LSGANLoss(label_smoothing=0.1)
    assert values(*loss.discriminator(REAL, FAKE)) == [(1.1**2 + 0.4**2) / 4, (9 + 0.0625) / 4]
    assert values(loss.generator(FAKE)) == [(16 + 0.5625) / 4]


def test_wgan_by_hand() -> None:
    loss = WGANLoss()
    assert values(*loss.discriminator(REAL, FAKE)) == [-1.25, -1.375]
    assert values(loss.generator(FAKE)) == [1.375]
    assert loss.gradient_penalty_weight == 10


def test_relativistic_average_by_hand() -> None:
    """-log sigmoid(C(real) - mean C(fake)) and so on, with the means 1.25 and -1.375."""

    def log1p_exp(x: float) -> float:
        return math.log1p(math.exp(x))

    loss = RelativisticAverageLoss()
    true_loss = (log1p_exp(-3.375) + log1p_exp(-1.875)) / 4
    false_loss = (log1p_exp(-4.25) + log1p_exp(-1.0)) / 4
    assert values(*loss.discriminator(REAL, FAKE)) == [true_loss, false_loss]
    above = (log1p_exp(4.25) + log1p_exp(1.0)) / 4
    below = (log1p_exp(3.375) + log1p_exp(1.875)) / 4
    assert values(loss.generator(FAKE, REAL)) == [above + below]


def test_relativistic_smoothing_is_cross_entropy_with_a_soft_label() -> None:
    true_loss, _ = RelativisticAverageLoss(label_smoothing=0.2).discriminator(REAL, FAKE)
    expected = F.binary_cross_entropy((REAL - FAKE.mean()).sigmoid(), torch.full((2, 1), 0.8)) / 2
    torch.testing.assert_close(true_loss, expected)


def test_relativistic_generator_needs_real() -> None:
    with pytest.raises(ValueError, match="real"):
        RelativisticAverageLoss().generator(FAKE)


class Linear(nn.Module):
    """Its gradient is its weight, for every image."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, images: Tensor) -> Tensor:
        return (self.weight * images).flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES.names())
class TestPenalties:
    def test_none_unless_asked_for(self, name: str) -> None:
        arguments = {"gradient_penalty": 0.0} if name == "wgan" else {}
        images = torch.rand(2, 3, 2, 2)
        assert ADVERSARIAL_LOSSES.create(name, **arguments).penalty(Linear(1.0), images, images) is None

    def test_weighted_sum_by_hand(self, name: str) -> None:
        """12 inputs and weight 0.5: squared norm 3; R1 half of it, the other (sqrt 3 - 1)^2."""
        loss = ADVERSARIAL_LOSSES.create(name, r1=4.0, gradient_penalty=10.0)
        penalty = loss.penalty(Linear(0.5), torch.rand(3, 3, 2, 2), torch.rand(3, 3, 2, 2))
        assert float(penalty.detach()) == pytest.approx(4 * 1.5 + 10 * (math.sqrt(3) - 1) ** 2, rel=1e-5)

    def test_negative_weights_are_refused(self, name: str) -> None:
        with pytest.raises(ArgumentError, match="r1"):
            ADVERSARIAL_LOSSES.create(name, r1=-1.0)


@pytest.mark.parametrize("name", ["vanilla", "lsgan", "ragan"])
def test_smoothing_is_bounded(name: str) -> None:
    with pytest.raises(ArgumentError, match="label_smoothing"):
        ADVERSARIAL_LOSSES.create(name, label_smoothing=0.5)
