"""The discriminator of the SRGAN paper."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.errors import ArgumentError


def per_layer(value: int | tuple[int, ...], count: int, name: str) -> tuple[int, ...]:
    """`value` for each of `count` layers, checked to be whole numbers of at least 1.

    Raises:
        ArgumentError: If there are more or fewer values than layers, or one is not a positive whole number.
    """
    values = (value,) * count if isinstance(value, int) else tuple(value)
    if len(values) != count:
        raise ArgumentError(
            f"{name} needs one value for each of {count} filters; got {len(values)}: {values}", where=name
        )
    if not all(isinstance(v, int) and v >= 1 for v in values):
        raise ArgumentError(f"{name} must be whole numbers of at least 1; got {values}", where=name)
    return values


class VGGDiscriminator(nn.Module):
    """Eight convolutions with strides, then two dense layers: one logit for an image.

    `(B, 3, H, W)` in [0, 1] to `(B, 1)`, no sigmoid. The first convolution has no BatchNorm, as in Fig. 4;
    the input is centred to [-1, 1]. An average pool to `pool` x `pool` makes it take any size; it changes
    nothing for the paper's 96x96, where the features are 6x6 already.

    Ledig et al. 2017, arXiv 1609.04802.

    Args:
        filters: Channels of each convolution (n).
        kernel_sizes: Kernel side of each, or one for all (k); odd.
        strides: Stride of each, or one for all (s).
        dense: Units of the first dense layer.
        pool: Side of the features before the dense layers.
        bands: Channels of the images.

    Raises:
        ArgumentError: If the lists differ in length or a value is out of range.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.discriminators.vgg import VGGDiscriminator
        >>> VGGDiscriminator(filters=(8, 8), strides=(1, 2), dense=16)(torch.rand(2, 3, 40, 24)).shape
        torch.Size([2, 1])
    """

    def __init__(
        self,
        *,
        filters: tuple[int, ...] = (64, 64, 128, 128, 256, 256, 512, 512),
        kernel_sizes: int | tuple[int, ...] = 3,
        strides: int | tuple[int, ...] = (1, 2, 1, 2, 1, 2, 1, 2),
        dense: int = 1024,
        pool: int = 6,
        bands: int = 3,
    ) -> None:
        super().__init__()
        filters = per_layer(tuple(filters), len(filters), "filters")
        kernels = per_layer(kernel_sizes, len(filters), "kernel_sizes")
        steps = per_layer(strides, len(filters), "strides")
        (dense,) = per_layer(dense, 1, "dense")
        (pool,) = per_layer(pool, 1, "pool")
        if not filters:
            raise ArgumentError("filters must name at least one convolution", where="filters")
        if any(k % 2 == 0 for k in kernels):
            raise ArgumentError(f"kernel_sizes must be odd; got {kernels}", where="kernel_sizes")
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(pairwise((bands, *filters))):
            kernel, stride, first = kernels[index], steps[index], index == 0
            layers.append(nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=first))
            if not first:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.LeakyReLU(0.2, inplace=True))  # nobody needs its input
        self.features = nn.Sequential(*layers)
        self.pool = _Pool(pool)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(filters[-1] * pool**2, dense),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(dense, 1),
        )
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=0.2)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        last = self.classifier[-1]
        assert isinstance(last, nn.Linear)
        last.weight.mul_(0.1)  # start undecided: logits near 0

    def forward(self, images: Tensor) -> Tensor:
        """Logits of `images`, `(B, 3, H, W)` in [0, 1]."""
        return self.classifier(self.pool(self.features(images * 2 - 1)))


class _Pool(nn.Module):
    """An adaptive average pool to a square, with a gradient that is always the same bytes where it can be.

    On CUDA the adaptive pool adds up its gradient in any order; a plain pool, which does the same where all
    windows have one size, does not.

    Args:
        side: Of the result.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to `(B, C, side, side)`."""
        height, width = x.shape[-2:]
        if height == width == self.side:
            return x
        if height % self.side or width % self.side:
            return F.adaptive_avg_pool2d(x, self.side)
        return F.avg_pool2d(x, (height // self.side, width // self.side))

    def extra_repr(self) -> str:
        """The side."""
        return str(self.side)
