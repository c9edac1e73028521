"""A discriminator on the features of any timm backbone."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from kornia_srgan.components.discriminators.vgg import per_layer
from kornia_srgan.components.features.timm_features import TimmFeatures


class TimmDiscriminator(nn.Module):
    """One small head for each of several layers of a timm backbone: logits at several scales.

    `(B, 3, H, W)` in [0, 1] to `(B, 1, h, w)`, no sigmoid. Each scale's map of logits is averaged down to
    the size of the coarsest one and the maps are stacked along the height, so that every scale has the same
    weight in a loss that takes the mean.

    Projected GANs (Sauer et al. 2021, arXiv 2111.01007): the backbone is frozen, and fixed random
    convolutions mix its channels and, from the coarsest scale to the finest, its scales, so that the heads
    cannot settle on a few features. The heads have spectral normalisation and no BatchNorm.

    Args:
        model: A name of `timm.list_models()`.
        layers: Which features, as in the feature extractor `timm`.
        weights: As in the feature extractor `timm`; `random` for a test or for training from scratch.
        frozen: Keep the backbone as it is. If not, it is trained too; the statistics of its BatchNorms stay.
        mixing: The fixed random convolutions; without them each head sees its layer's own features.
        channels: Channels of the mixed features and of the heads.

    Raises:
        ArgumentError: If there is no such model or layer, or `channels` is not at least 1.
        WeightsError: If the weights are missing or belong to another model.
        MissingExtraError: If the package of the weights is not installed.
        OfflineError: If the weights must be downloaded and the network cannot be reached.
    """

    def __init__(
        self,
        *,
        model: str = "tf_efficientnet_lite0",
        layers: tuple[str | int, ...] = (0, 1, 2, 3),
        weights: str = "timm",
        frozen: bool = True,
        mixing: bool = True,
        channels: int = 64,
    ) -> None:
        super().__init__()
        per_layer(channels, 1, "channels")
        self.features = TimmFeatures(model=model, layers=layers, weights=weights)
        widths = self._widths()
        self.features.requires_grad_(not frozen)
        self.mixing = _Mixing(widths, channels) if mixing else None
        inputs = [channels] * len(widths) if mixing else widths
        self.heads = nn.ModuleList(_head(width, channels) for width in inputs)

    @torch.no_grad()
    def _widths(self) -> list[int]:
        """The channels of each layer, by trying."""
        return [f.shape[1] for f in self.features(torch.zeros(1, 3, 64, 64)).values()]

    def forward(self, images: Tensor) -> Tensor:
        """Logits of `images`, `(B, 3, H, W)` in [0, 1]."""
        features = list(self.features(images).values())
        if self.mixing is not None:
            features = self.mixing(features)
        logits = [head(feature) for head, feature in zip(self.heads, features, strict=True)]
        height = min(x.shape[-2] for x in logits)
        width = min(x.shape[-1] for x in logits)
        return torch.cat([F.adaptive_avg_pool2d(x, (height, width)) for x in logits], dim=-2)


def _head(inputs: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(inputs, channels, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(channels, 1, 1)),
    )


class _Mixing(nn.Module):
    """Fixed random convolutions over channels, then from coarse to fine over scales."""

    def __init__(self, widths: list[int], channels: int) -> None:
        super().__init__()
        self.across_channels = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.across_scales = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in pairwise(widths)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
                nn.init.zeros_(module.bias)
        self.requires_grad_(False)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        mixed = [layer(feature) for layer, feature in zip(self.across_channels, features, strict=True)]
        found = [mixed[-1]]
        for layer, finer in zip(self.across_scales, reversed(mixed[:-1]), strict=True):
            coarse = F.interpolate(found[-1], finer.shape[-2:], mode="bilinear", align_corners=False)
            found.append(layer(finer + coarse))
        return found[::-1]
