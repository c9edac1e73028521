"""Small generators whose answer or reach is known."""

import torch
from torch import nn
from torch.nn import functional as F


class Nearest(nn.Module):
    """Each pixel becomes a square of its own colour: every result can be checked exactly."""

    halo = 0

    def __init__(self, scale=2):
        super().__init__()
        self.scale = scale

    def forward(self, lr):
        return F.interpolate(lr, scale_factor=self.scale, mode="nearest")


class Chain(nn.Module):
    """Convolutions with zero padding, `depth` of radius one, then a pixel shuffle; halo not stated."""

    def __init__(self, depth=3, scale=2, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.scale = scale
        sizes = [3, *[8] * (depth - 1)]
        self.body = nn.Sequential(*(nn.Conv2d(c, 8, 3, padding=1) for c in sizes))
        self.tail = nn.Conv2d(8, 3 * scale**2, 1)

    def forward(self, lr):
        x = lr
        for layer in self.body:
            x = torch.relu(layer(x)) + 0.1
        return F.pixel_shuffle(self.tail(x), self.scale)


class Global(Chain):
    """Sees the whole image in every pixel."""

    def forward(self, lr):
        return super().forward(lr) * (1 + lr.mean(dim=(2, 3), keepdim=True))


class Unshuffled(nn.Module):
    """Begins by folding 2 x 2 pixels into channels, so that tiles must start on even pixels."""

    scale = 2
    align = 2

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(12, 48, 3, padding=1)

    def forward(self, lr):
        height, width = lr.shape[-2:]
        x = F.pad(lr, (0, width % 2, 0, height % 2))
        x = F.pixel_shuffle(self.conv(F.pixel_unshuffle(x, 2)), 4)
        return x[..., : 2 * height, : 2 * width]
