"""The parts of a training step as pure functions of batches and networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kornia_srgan.assembly import NamedLoss
from kornia_srgan.components.transforms.seeding import to_device
from kornia_srgan.contracts import (
    AdversarialLoss,
    Augmentation,
    Batch,
    Degradation,
    Discriminator,
    LossReport,
    PairAugmentation,
    PenalizedLoss,
    Resizer,
)
from kornia_srgan.data.pixels import unit_values


@torch.no_grad()
def make_batch(
    images: Tensor,
    seeds: Sequence[int],
    *,
    lr: Tensor | None = None,
    paired: Sequence[int] = (),
    scale: int,
    resizer: Resizer,
    augmentations: Sequence[Augmentation] = (),
    degradation: Degradation | None = None,
) -> Batch:
    """Augment HR crops and make their LR versions, on the device of `images`.

    Args:
        images: HR crops as in a `CropBatch`, `(B, C, H, W)`; H and W are multiples of `scale`.
        seeds: One integer per image for its augmentations.
        lr: LR crops `(P, C, H / scale, W / scale)` of images with their own LR.
        paired: The indices of these images, ascending.
        scale: The upscaling factor.
        resizer: Makes LR from HR.
        augmentations: Applied to HR in order.
        degradation: Makes LR, instead of the resizer.

    Returns:
        A batch in [0, 1], float32; images that bring their own LR come last.
    """
    if lr is None or not paired:
        return _made_batch(images, seeds, scale, resizer, augmentations, degradation)
    own = set(paired)
    alone = [index for index in range(len(seeds)) if index not in own]
    pairs = _own_batch(_rows(images, paired), lr, [seeds[index] for index in paired], augmentations)
    if not alone:
        return pairs
    rest = [seeds[index] for index in alone]
    made = _made_batch(_rows(images, alone), rest, scale, resizer, augmentations, degradation)
    return Batch(lr=torch.cat((made.lr, pairs.lr)), hr=torch.cat((made.hr, pairs.hr)))


def _made_batch(
    images: Tensor,
    seeds: Sequence[int],
    scale: int,
    resizer: Resizer,
    augmentations: Sequence[Augmentation],
    degradation: Degradation | None,
) -> Batch:
    hr = unit_values(images)
    for augment in augmentations:
        hr = augment(hr, seeds)
    size = (hr.shape[-2] // scale, hr.shape[-1] // scale)
    lr = resizer(hr, size) if degradation is None else degradation(hr, seeds, size)
    return Batch(lr=lr, hr=hr)


def _own_batch(
    images: Tensor, small: Tensor, seeds: Sequence[int], augmentations: Sequence[Augmentation]
) -> Batch:
    hr, lr = unit_values(images), unit_values(small)
    for augment in augmentations:
        if isinstance(augment, PairAugmentation) and augment.keeps_pairs:
            hr, lr = augment(hr, seeds), augment(lr, seeds)
    return Batch(lr=lr, hr=hr)


def _rows(images: Tensor, which: Sequence[int]) -> Tensor:
    return images[to_device(np.array(which, np.int64), images, torch.int64)]


def image_loss(sr: Tensor, hr: Tensor, losses: Sequence[NamedLoss]) -> LossReport:
    """The weighted sum of the image losses (the paper's content loss is one of them)."""
    terms = {entry.name: entry.weight * entry.loss(sr, hr) for entry in losses}
    return LossReport(_sum(terms), {name: term.detach() for name, term in terms.items()})


def generator_loss(
    sr: Tensor,
    hr: Tensor,
    losses: Sequence[NamedLoss],
    *,
    adversarial: AdversarialLoss | None = None,
    adversarial_weight: float = 0.0,
    discriminator: Discriminator | None = None,
) -> LossReport:
    """The generator's loss: image losses plus, in a GAN stage, the weighted adversarial loss.

    The caller must freeze the discriminator's parameters; otherwise their gradients are computed too.
    """
    report = image_loss(sr, hr, losses)
    if adversarial is None or discriminator is None:
        return report
    real = None
    if adversarial.needs_real:
        with torch.no_grad():
            real = discriminator(hr).float()
    term = adversarial_weight * adversarial.generator(discriminator(sr).float(), real)
    return LossReport(report.total + term, {**report.terms, "adversarial": term.detach()})


def discriminator_loss(
    hr: Tensor, sr: Tensor, *, adversarial: AdversarialLoss, discriminator: Discriminator
) -> LossReport:
    """The discriminator's loss: true loss + false loss; the report also has its accuracy on both.

    The penalty of a `PenalizedLoss` (R1, gradient penalty) is added.

    Args:
        hr: Real images.
        sr: Generated images; they are detached.
        adversarial: The loss.
        discriminator: Run separately on both, so that BatchNorm does not mix real and generated images.
    """
    # Nothing is autocast here. But a network's own autocast, inside of another, keeps its rounded weights for
    # the next call: rounded once, and one gradient through the rounding.
    with torch.autocast(hr.device.type, enabled=False):
        return _discriminator_loss(hr, sr, adversarial, discriminator)


def _discriminator_loss(
    hr: Tensor, sr: Tensor, adversarial: AdversarialLoss, discriminator: Discriminator
) -> LossReport:
    real, fake = discriminator(hr).float(), discriminator(sr.detach()).float()
    true_loss, false_loss = adversarial.discriminator(real, fake)
    terms = {
        "d_true": true_loss.detach(),
        "d_false": false_loss.detach(),
        "d_accuracy_real": (real.detach() > 0).float().mean(),
        "d_accuracy_fake": (fake.detach() < 0).float().mean(),
    }
    total = true_loss + false_loss
    penalty = adversarial.penalty(discriminator, hr, sr) if isinstance(adversarial, PenalizedLoss) else None
    if penalty is not None:
        total, terms["d_penalty"] = total + penalty, penalty.detach()
    return LossReport(total, terms)


def _sum(terms: dict[str, Tensor]) -> Tensor:
    total, *rest = terms.values()
    for term in rest:
        total = total + term
    return total
