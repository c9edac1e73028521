"""Gradient penalties on a discriminator.

They differentiate through a gradient, in float32 with autocast off: in half precision the squared norms would
vanish or overflow. A discriminator that turns autocast on by itself, as one prepared by Accelerate does,
computes its layers in half precision all the same; the gradient at the images and its norm stay float32.
`torch.autograd.grad` fills no `.grad` and starts no reduction, so under DistributedDataParallel the one
`backward` of the whole discriminator loss reduces everything.

They ask for a discriminator that judges each image alone: BatchNorm in training mode mixes the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def _gradients(discriminator: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """For each image the gradient of its mean logit, `(B, 3*H*W)` float32, with a graph."""
    with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
        images = images.detach().float().requires_grad_()
        logits = discriminator(images).float().flatten(1)
        # The sum, divided afterwards: in half precision the small factor of a mean would underflow.
        (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return gradients.flatten(1) / logits.shape[1]


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Half the mean squared norm of the gradient at real images; a float32 scalar.

    Times gamma it is R1 of Mescheder et al. 2018, arXiv 1801.04406.

    Args:
        discriminator: Maps images to logits; of a map of logits the mean is differentiated.
        real: `(B, 3, H, W)` in [0, 1].
    """
    return _gradients(discriminator, real).square().sum(1).mean() / 2


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, mix: Tensor | None = None
) -> Tensor:
    """The mean of `(norm of the gradient - 1)^2` on lines between real and generated images.

    Times 10 it is the penalty of WGAN-GP, Gulrajani et al. 2017, arXiv 1704.00028.

    Args:
        discriminator: Maps images to logits; of a map of logits the mean is differentiated.
        real: `(B, 3, H, W)` in [0, 1].
        fake: As `real`; nothing reaches the generator.
        mix: `(B, 1, 1, 1)` in [0, 1], the share of `real`; by default drawn from torch's generator.
    """
    if mix is None:
        mix = torch.rand(real.shape[0], 1, 1, 1, device=real.device)
    images = torch.lerp(fake.detach().float(), real.detach().float(), mix.float())
    norms = (_gradients(discriminator, images).square().sum(1) + 1e-12).sqrt()  # finite slope at zero
    return (norms - 1).square().mean()
