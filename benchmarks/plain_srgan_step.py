"""The reference for `benchmarks.training_step`: SRGAN's networks and step, written straight from the paper.

This is what a competent person writes with PyTorch alone, and what most SRGAN ports are: the two networks of
Fig. 4, BatchNorm that sees real and fake images apart, SR generated once and detached for the discriminator's
turn, frozen features, Adam as torch gives it, activations in place. What it does not do:

- channels-last, fused optimizers, a rewritten tail of the generator;
- freeze the discriminator in the generator's turn, so its gradients are computed there and thrown away;
- look for numbers that are not finite, report accuracies and gradient norms;
- mixed precision, several processes, micro-batches, an average of the weights, checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class PlainGenerator(nn.Module):
    """SRResNet x4; LR in [0, 1], SR mapped from [-1, 1] to [0, 1]."""

    def __init__(self, channels: int, num_blocks: int) -> None:
        super().__init__()
        c = channels
        self.head = nn.Sequential(nn.Conv2d(3, c, 9, padding=4), nn.PReLU())
        end = (nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c))
        self.body = nn.Sequential(*(PlainBlock(c) for _ in range(num_blocks)), *end)
        self.upsample = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(c, 4 * c, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())
                for _ in range(2)
            )
        )
        self.tail = nn.Conv2d(c, 3, 9, padding=4)

    def forward(self, lr: Tensor) -> Tensor:
        x = self.head(lr)
        return (self.tail(self.upsample(x + self.body(x))) + 1) / 2


class PlainDiscriminator(nn.Module):
    """Eight convolutions and two dense layers, logits; images in [0, 1]."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for index, times in enumerate((1, 1, 2, 2, 4, 4, 8, 8)):
            layers.append(nn.Conv2d(before, width * times, 3, 1 + index % 2, padding=1, bias=index == 0))
            if index:
                layers.append(nn.BatchNorm2d(width * times))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            before = width * times
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(before * (side // 16) ** 2, 16 * width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(16 * width, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images * 2 - 1))


class PlainStep:
    """Both networks, their optimizers, and one step of each.

    Args:
        generator: The generator.
        discriminator: The discriminator.
        features: The frozen extractor of the content loss: images to features by layer.
        lr: Learning rate of both.
        feature_scale: Factor of the features.
        adversarial_weight: Factor of the adversarial loss.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        features: nn.Module,
        *,
        lr: float,
        feature_scale: float,
        adversarial_weight: float,
    ) -> None:
        self.generator = generator.train()
        self.discriminator = discriminator.train()
        self.features = features
        self.feature_scale = feature_scale
        self.adversarial_weight = adversarial_weight
        self.optimizer_g = torch.optim.Adam(generator.parameters(), lr=lr)
        self.optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=lr)

    def __call__(self, lr: Tensor, hr: Tensor) -> dict[str, Tensor]:
        """One step; the losses it saw."""
        sr = self.generator(lr)

        self.optimizer_d.zero_grad()
        real, fake = self.discriminator(hr), self.discriminator(sr.detach())
        true_loss = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        false_loss = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        (true_loss + false_loss).backward()
        self.optimizer_d.step()

        self.optimizer_g.zero_grad()
        found, wanted = self.features(sr), self.features(hr)
        content = sum(
            F.mse_loss(found[k] * self.feature_scale, wanted[k] * self.feature_scale) for k in found
        )
        fake = self.discriminator(sr)
        adversarial = self.adversarial_weight * F.binary_cross_entropy_with_logits(
            fake, torch.ones_like(fake)
        )
        (content + adversarial).backward()
        self.optimizer_g.step()
        return {
            "d_true": true_loss.detach(),
            "d_false": false_loss.detach(),
            "perceptual": torch.as_tensor(content).detach(),
            "adversarial": adversarial.detach(),
        }


def load_in_order(module: nn.Module, source: nn.Module) -> None:
    """Give a module the weights of another one with the same tensors in the same order."""
    own, other = module.state_dict(), source.state_dict()
    shapes = [v.shape for v in own.values()], [v.shape for v in other.values()]
    if shapes[0] != shapes[1]:
        raise ValueError(f"{type(module).__name__} does not have the tensors of {type(source).__name__}")
    module.load_state_dict({k: v.contiguous() for k, v in zip(own, other.values(), strict=True)})
