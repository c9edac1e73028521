"""Adversarial losses, from logits of any shape, in float32."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.errors import ArgumentError


class VanillaLoss(nn.Module):
    """Binary cross-entropy on logits, with the non-saturating generator loss `-log D(G(lr))`.

    Goodfellow et al. 2014, arXiv 1406.2661; SRGAN, Ledig et al. 2017, arXiv 1609.04802. Computed by softplus,
    so that it is finite, with a gradient, for every logit.

    Args:
        label_smoothing: Real images are labelled `1 - label_smoothing` in the discriminator's loss
            (one-sided; Salimans et al. 2016, arXiv 1606.03498).

    Raises:
        ArgumentError: If `label_smoothing` is not in [0, 0.5).

    Example:
        >>> import torch
        >>> from kornia_srgan.components.losses.adversarial import VanillaLoss
        >>> round(float(VanillaLoss().generator(torch.zeros(4, 1))), 4)  # log 2
        0.6931
    """

    needs_real = False

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 0.5:
            raise ArgumentError(f"label_smoothing must be in [0, 0.5); got {label_smoothing!r}")
        self.label_smoothing = label_smoothing

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The mean of `-log sigmoid(fake)`; `real` is not used."""
        return F.softplus(-fake.float()).mean()

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The means of the cross-entropy of real logits with 1 (smoothed) and of fake logits with 0."""
        real, fake = real.float(), fake.float()
        # BCE with label 1 - s: (1 - s) softplus(-x) + s softplus(x) = softplus(-x) + s x
        true_loss = (F.softplus(-real) + self.label_smoothing * real).mean()
        return true_loss, F.softplus(fake).mean()
