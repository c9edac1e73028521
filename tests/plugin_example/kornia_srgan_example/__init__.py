"""One of each: a generator, a discriminator, an image loss and an augmentation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kornia_srgan.registry.catalog import AUGMENTATIONS, DISCRIMINATORS, GENERATORS, IMAGE_LOSSES


@GENERATORS.register("example_generator", summary="Two convolutions and a pixel shuffle")
class ExampleGenerator(nn.Module):
    """`(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)`.

    Args:
        scale: Factor of enlargement.
        width: Channels between the convolutions.
    """

    def __init__(self, *, scale: int = 4, width: int = 8) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.tail = nn.Conv2d(width, 3 * scale**2, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.tail(self.head(lr).relu()), self.scale)


@DISCRIMINATORS.register("example_discriminator", summary="One convolution, averaged")
class ExampleDiscriminator(nn.Module):
    """`(B, 3, H, W)` in [0, 1] to logits `(B, 1)`.

    Args:
        width: Channels of the convolution.
    """

    def __init__(self, *, width: int = 8) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, width, 3, padding=1)
        self.head = nn.Linear(width, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(nn.functional.leaky_relu(self.body(images), 0.2).mean(dim=(2, 3)))


@IMAGE_LOSSES.register("example_loss", summary="Mean distance to the fourth power")
class ExampleLoss(nn.Module):
    """The mean of (sr - hr)^4, a float32 scalar."""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        return (sr.float() - hr.float()).pow(4).mean()


@AUGMENTATIONS.register("example_augmentation", summary="Reverses the colour channels of every other image")
class ExampleAugmentation:
    """RGB becomes BGR where the seed is odd: a function of images and seeds alone."""

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        odd = torch.tensor([seed % 2 == 1 for seed in seeds], device=images.device)
        return torch.where(odd[:, None, None, None], images.flip(1), images)
