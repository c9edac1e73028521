"""A generator on the features of any timm backbone, and the head that makes one of any feature network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.components.features.timm_features import TimmFeatures
from kornia_srgan.components.generators.edsr import ResidualBlock
from kornia_srgan.components.generators.layers import check_positive, conv, init_convolutions, scale_steps
from kornia_srgan.errors import ArgumentError

_OVERLAP = 64  # of tiles; backbones see further, and many the whole image


class FeatureUpsampler(nn.Module):
    """Any network with features becomes a generator: its features, a head at LR resolution, a pixel shuffle.

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped. The features are brought to
    LR resolution by bilinear interpolation, where they are coarser, and join a convolution of the image
    itself, which keeps what a backbone with strides loses. The bilinearly enlarged image is added.

    Args:
        features: Maps `(B, 3, h, w)` to one tensor `(B, C, h', w')` or a list of them.
        widths: The channels of each.
        scale: Factor of enlargement, 1 to 8.
        channels: Channels of the head.
        num_blocks: Residual blocks of the head.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = FeatureUpsampler(nn.Conv2d(3, 12, 3, padding=1), (12,), scale=2, channels=8, num_blocks=1)
        >>> net(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 10, 14])
    """

    def __init__(
        self,
        features: Callable[[Tensor], Tensor | list[Tensor]],
        widths: tuple[int, ...],
        *,
        scale: int,
        channels: int = 64,
        num_blocks: int = 4,
    ) -> None:
        super().__init__()
        scale_steps(scale)
        check_positive(channels=channels, num_blocks=num_blocks)
        self.scale = scale
        self.head = conv(3, channels, 3)
        self.merge = nn.ModuleList(conv(width, channels, 1) for width in widths)
        self.body = nn.Sequential(
            *(ResidualBlock(channels, 1.0) for _ in range(num_blocks)), conv(channels, channels, 3)
        )
        widest = conv(channels, 3 * scale**2, 3)
        self.tail = nn.Sequential(widest, nn.PixelShuffle(scale))
        with torch.no_grad():
            init_convolutions(self, slope=0.0)
            widest.weight.mul_(0.01)  # start near the enlarged image
        self.features = features

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `lr`, `(B, 3, h, w)` in [0, 1]."""
        found = self.features(lr)
        x = self.head(lr - 0.5)
        for merge, feature in zip(self.merge, [found] if isinstance(found, Tensor) else found, strict=True):
            x = x + F.interpolate(merge(feature), lr.shape[-2:], mode="bilinear", align_corners=False)
        detail = self.tail(x + self.body(x))
        if self.scale == 1:
            return detail + lr
        return detail + F.interpolate(
            lr, scale_factor=float(self.scale), mode="bilinear", align_corners=False
        )


class TimmGenerator(FeatureUpsampler):
    """`FeatureUpsampler` on several layers of a timm backbone, which is trained along.

    The statistics of the backbone's BatchNorms stay as they are. Tiles overlap by 64 pixels and fade into
    each other, since backbones see far.

    Args:
        scale: Factor of enlargement, 1 to 8.
        model: A name of `timm.list_models()`.
        layers: Which features, as in the feature extractor `timm`; the shallow ones carry the detail.
        weights: What the backbone starts from, as in the feature extractor `timm`: `timm`, a file,
            `package:NAME` or `random`. A saved generator is rebuilt without them.
        channels: Channels of the head.
        num_blocks: Residual blocks of the head.
        frozen: Keep the backbone as it is.

    Raises:
        ArgumentError: If there is no such model or layer, or an argument is out of range.
        WeightsError: If the weights are missing or belong to another model.
        MissingExtraError: If the package of the weights is not installed.
        OfflineError: If the weights must be downloaded and the network cannot be reached.
    """

    start_arguments: ClassVar[Mapping[str, Any]] = {"weights": "random"}

    def __init__(
        self,
        *,
        scale: int = 4,
        model: str = "tf_efficientnet_lite0",
        layers: tuple[str | int, ...] = (0, 1, 2),
        weights: str = "random",
        channels: int = 64,
        num_blocks: int = 4,
        frozen: bool = False,
    ) -> None:
        backbone = TimmFeatures(model=model, layers=layers, weights=weights)
        with torch.no_grad():
            shapes = [tuple(f.shape) for f in backbone(torch.zeros(1, 3, 64, 64)).values()]
        if not shapes:
            raise ArgumentError("timm_backbone: layers is empty", where="layers")
        widths = tuple(shape[1] for shape in shapes)
        super().__init__(_Listed(backbone), widths, scale=scale, channels=channels, num_blocks=num_blocks)
        backbone.requires_grad_(not frozen)
        self.align = max(64 // min(shape[-1] for shape in shapes), 1)
        self.halo, self.blend = _OVERLAP, _OVERLAP // 2


class _Listed(nn.Module):
    """A feature extractor's features in order."""

    def __init__(self, extractor: TimmFeatures) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, images: Tensor) -> list[Tensor]:
        """The features, from the first layer to the last."""
        return list(self.extractor(images).values())
