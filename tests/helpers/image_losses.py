"""Registered image losses, with a tiny extractor where they want one."""

import torch
from torch import Tensor, nn

from kornia_srgan.registry.catalog import IMAGE_LOSSES


class TinyFeatures(nn.Module):
    """Two layers of fixed random features."""

    layers = ("a", "b")

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one = nn.Conv2d(3, 4, 3, padding=1)
        self.two = nn.Conv2d(4, 5, 3, padding=1, stride=2)
        self.requires_grad_(False)
        self.calls = 0

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.calls += 1
        a = self.one(images).relu()
        return {"a": a, "b": self.two(a)}


def image_loss(name: str, **arguments: object) -> nn.Module:
    if "extractor" in IMAGE_LOSSES.get(name).parameters():
        arguments["extractor"] = TinyFeatures()
    return IMAGE_LOSSES.create(name, **arguments)
