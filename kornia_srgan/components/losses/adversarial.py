"""Adversarial losses, from logits of any shape, in float32."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.components.losses.regularizers import gradient_penalty, r1_penalty
from kornia_srgan.errors import ArgumentError


class PenalisedLoss(nn.Module):
    """What the adversarial losses share: gradient penalties on the discriminator.

    Args:
        r1: Weight gamma of the R1 penalty at real images (Mescheder et al. 2018, arXiv 1801.04406).
        gradient_penalty: Weight of the penalty between real and generated images (Gulrajani et al. 2017,
            arXiv 1704.00028).
    """

    needs_real = False

    def __init__(self, *, r1: float = 0.0, gradient_penalty: float = 0.0) -> None:
        super().__init__()
        for name, value in (("r1", r1), ("gradient_penalty", gradient_penalty)):
            if value < 0:
                raise ArgumentError(f"{name} must be at least 0; got {value!r}", where=name)
        self.r1_weight = r1
        self.gradient_penalty_weight = gradient_penalty

    @property
    def gradient_penalties(self) -> dict[str, float]:
        """The weights of the penalties, by the names of their arguments."""
        return {"r1": self.r1_weight, "gradient_penalty": self.gradient_penalty_weight}

    def penalty(self, discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor | None:
        """The weighted penalties to add to the discriminator's loss, or None where there are none.

        Args:
            discriminator: Maps images to logits.
            real: Real images `(B, 3, H, W)` in [0, 1].
            fake: Generated images of the same shape; nothing reaches the generator.
        """
        total = None
        if self.r1_weight:
            total = self.r1_weight * r1_penalty(discriminator, real)
        if self.gradient_penalty_weight:
            term = self.gradient_penalty_weight * gradient_penalty(discriminator, real, fake)
            total = term if total is None else total + term
        return total


class LabelledLoss(PenalisedLoss):
    """What those share that give real images a label.

    Args:
        label_smoothing: Real images are labelled `1 - label_smoothing` in the discriminator's loss
            (one-sided; Salimans et al. 2016, arXiv 1606.03498).
        r1: Weight of the R1 penalty.
        gradient_penalty: Weight of the gradient penalty.
    """

    def __init__(
        self, *, label_smoothing: float = 0.0, r1: float = 0.0, gradient_penalty: float = 0.0
    ) -> None:
        super().__init__(r1=r1, gradient_penalty=gradient_penalty)
        if not 0 <= label_smoothing < 0.5:
            raise ArgumentError(
                f"label_smoothing must be in [0, 0.5); got {label_smoothing!r}", where="label_smoothing"
            )
        self.label_smoothing = label_smoothing


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    """Mean binary cross-entropy with a label in [0, 1]; finite, with a gradient, for every logit.

    label * softplus(-x) + (1 - label) * softplus(x) = softplus(-x) + (1 - label) * x
    """
    return F.softplus(logits).mean() if label == 0 else (F.softplus(-logits) + (1 - label) * logits).mean()


class VanillaLoss(LabelledLoss):
    """Binary cross-entropy on logits, with the non-saturating generator loss `-log D(G(lr))`.

    Goodfellow et al. 2014, arXiv 1406.2661; SRGAN, Ledig et al. 2017, arXiv 1609.04802.

    Args:
        label_smoothing: Real images are labelled `1 - label_smoothing` in the discriminator's loss
            (one-sided; Salimans et al. 2016, arXiv 1606.03498).
        r1: Weight of the R1 penalty.
        gradient_penalty: Weight of the gradient penalty.

    Raises:
        ArgumentError: If `label_smoothing` is not in [0, 0.5) or a weight is negative.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.losses.adversarial import VanillaLoss
        >>> round(float(VanillaLoss().generator(torch.zeros(4, 1))), 4)  # log 2
        0.6931
    """

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The mean of `-log sigmoid(fake)`; `real` is not used."""
        return _cross_entropy(fake.float(), 1)

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The means of the cross-entropy of real logits with 1 (smoothed) and of fake logits with 0."""
        return _cross_entropy(real.float(), 1 - self.label_smoothing), _cross_entropy(fake.float(), 0)


class LSGANLoss(LabelledLoss):
    """Least squares: the discriminator aims at 1 for real and 0 for generated images; half squared errors.

    Mao et al. 2017, arXiv 1611.04076.

    Args:
        label_smoothing: Real images are labelled `1 - label_smoothing` in the discriminator's loss.
        r1: Weight of the R1 penalty.
        gradient_penalty: Weight of the gradient penalty.

    Raises:
        ArgumentError: If `label_smoothing` is not in [0, 0.5) or a weight is negative.
    """

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Half the mean of `(fake - 1)^2`; `real` is not used."""
        return (fake.float() - 1).square().mean() / 2

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Half the means of `(real - label)^2` and of `fake^2`."""
        true_loss = (real.float() - (1 - self.label_smoothing)).square().mean() / 2
        return true_loss, fake.float().square().mean() / 2


class HingeLoss(PenalisedLoss):
    """Hinge: the discriminator stops caring beyond a margin of 1; the generator maximises its logit.

    Lim & Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957.

    Args:
        r1: Weight of the R1 penalty.
        gradient_penalty: Weight of the gradient penalty.

    Raises:
        ArgumentError: If a weight is negative.
    """

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The mean of `-fake`; `real` is not used."""
        return -fake.float().mean()

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The means of `max(0, 1 - real)` and of `max(0, 1 + fake)`."""
        return F.relu(1 - real.float()).mean(), F.relu(1 + fake.float()).mean()


class WGANLoss(PenalisedLoss):
    """Wasserstein distance, kept honest by the gradient penalty (WGAN-GP).

    Arjovsky et al. 2017, arXiv 1701.07875; Gulrajani et al. 2017, arXiv 1704.00028. Wants a discriminator
    without BatchNorm (`unet`, `timm_backbone`, `patch` with `norm: none`).

    Args:
        gradient_penalty: Weight of the gradient penalty; without any the discriminator's loss has no bound.
        r1: Weight of the R1 penalty.

    Raises:
        ArgumentError: If a weight is negative.
    """

    def __init__(self, *, gradient_penalty: float = 10.0, r1: float = 0.0) -> None:
        super().__init__(r1=r1, gradient_penalty=gradient_penalty)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The mean of `-fake`; `real` is not used."""
        return -fake.float().mean()

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The means of `-real` and of `fake`."""
        return -real.float().mean(), fake.float().mean()


class RelativisticAverageLoss(LabelledLoss):
    """Cross-entropy on how much more real an image looks than the average of the other kind (ESRGAN).

    Jolicoeur-Martineau 2018, arXiv 1807.00734; Wang et al. 2018, arXiv 1809.00219. Both sides are halved,
    as in ESRGAN's code, to which its weight of 5e-3 belongs. The averages are over the batch of one
    process.

    Args:
        label_smoothing: Real images are labelled `1 - label_smoothing` in the discriminator's loss.
        r1: Weight of the R1 penalty.
        gradient_penalty: Weight of the gradient penalty.

    Raises:
        ArgumentError: If `label_smoothing` is not in [0, 0.5) or a weight is negative.
    """

    needs_real = True

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Half the cross-entropies with the labels exchanged: generated above average, real below."""
        if real is None:
            raise ValueError("the relativistic loss needs the logits of real images")
        real, fake = real.float(), fake.float()
        return (_cross_entropy(fake - real.mean(), 1) + _cross_entropy(real - fake.mean(), 0)) / 2

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Half the cross-entropies of real above the average fake and of fake below the average real."""
        real, fake = real.float(), fake.float()
        true_loss = _cross_entropy(real - fake.mean(), 1 - self.label_smoothing) / 2
        return true_loss, _cross_entropy(fake - real.mean(), 0) / 2
