"""PatchGAN, the discriminator of pix2pix."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from kornia_srgan.components.discriminators.vgg import per_layer
from kornia_srgan.errors import ArgumentError
from kornia_srgan.ops.padding import pad_to

Norm = Literal["batch", "instance", "spectral", "none"]
_MOST = 8  # channels grow to this many times the first layer's


class PatchDiscriminator(nn.Module):
    """Convolutions of 4x4 with strides: one logit for each overlapping patch (70x70 pixels by default).

    `(B, 3, H, W)` in [0, 1] to `(B, 1, h, w)`, no sigmoid; h is about H / 2^num_layers. The input is
    centred to [-1, 1]. Images smaller than one logit needs are padded by repeating their border.

    Isola et al. 2017, arXiv 1611.07004.

    Args:
        channels: Channels of the first layer; doubled in each of the next, to 8 times as many at most.
        num_layers: Layers of stride 2 (3 gives patches of 70 pixels, 2 of 34, 1 of 16).
        norm: `batch` as in the paper; `spectral` or `none` where a gradient penalty is used; `instance`.
        bands: Channels of the images.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.discriminators.patch import PatchDiscriminator
        >>> PatchDiscriminator(channels=4)(torch.rand(2, 3, 96, 96)).shape
        torch.Size([2, 1, 10, 10])
    """

    def __init__(
        self, *, channels: int = 64, num_layers: int = 3, norm: Norm = "batch", bands: int = 3
    ) -> None:
        super().__init__()
        (c,) = per_layer(channels, 1, "channels")
        (depth,) = per_layer(num_layers, 1, "num_layers")
        if norm not in ("batch", "instance", "spectral", "none"):
            raise ArgumentError(
                f"norm must be 'batch', 'instance', 'spectral' or 'none'; got {norm!r}", where="norm"
            )
        widths = [c * min(2**i, _MOST) for i in range(depth + 1)]
        layers: list[nn.Module] = [nn.Conv2d(bands, c, 4, 2, padding=1), nn.LeakyReLU(0.2)]
        for index in range(1, depth + 1):
            stride = 2 if index < depth else 1
            layers += _block(widths[index - 1], widths[index], stride, norm)
        layers.append(nn.Conv2d(widths[-1], 1, 4, 1, padding=1))
        self.layers = nn.Sequential(*layers)
        # The two layers of stride 1 take a pixel each; InstanceNorm needs more than one value to normalise.
        self.min_size = (4 if norm == "instance" else 3) * 2**depth
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.2)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of `images`, `(B, 3, H, W)` in [0, 1]."""
        return self.layers(pad_to(images, self.min_size, self.min_size) * 2 - 1)


def _block(inputs: int, outputs: int, stride: int, norm: Norm) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 4, stride, padding=1, bias=norm == "none")]
    if norm == "spectral":
        layers[0] = spectral_norm(layers[0])
    elif norm == "batch":
        layers.append(nn.BatchNorm2d(outputs))
    elif norm == "instance":
        layers.append(nn.InstanceNorm2d(outputs, affine=True))
    return [*layers, nn.LeakyReLU(0.2)]
