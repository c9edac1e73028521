"""Perceptual (content) loss: the distance between features of SR and HR."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.errors import ArgumentError
from kornia_srgan.protocols import FeatureExtractor

Criterion = Literal["mse", "l1"]


def gram(features: Tensor) -> Tensor:
    """Correlations of the channels, `(B, C, h, w)` to `(B, C, C)`, divided by C*h*w.

    Johnson et al. 2016, arXiv 1603.08155.
    """
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / features[0].numel()


class PerceptualLoss(nn.Module):
    """The distance between the features of SR and HR, `(B, 3, H, W)` in [0, 1]; a float32 scalar.

    The content loss of SRGAN (Ledig et al. 2017, arXiv 1609.04802, equation 5): mean squared error of VGG19's
    relu5_4, features divided by 12.75. ESRGAN (Wang et al. 2018, arXiv 1809.00219) takes l1 on conv5_4;
    Real-ESRGAN several layers with weights.

    The gradient reaches SR only: HR goes through the extractor without a graph. One forward of both together
    would cost a second backward through the extractor for HR, whose gradient nobody asks for. Everything runs
    in float32, also under autocast.

    Args:
        extractor: A frozen feature extractor.
        layer_weights: Weight of each of the extractor's layers; by default 1 for each.
        criterion: `mse` or `l1`, between features.
        feature_scale: Factor of the features before they are compared.
        style_weight: Weight of the same criterion between Gram matrices (style); 0 leaves it out.

    Raises:
        ArgumentError: If the layers of `layer_weights` are not the extractor's, or an argument is out of
            range.
    """

    def __init__(
        self,
        *,
        extractor: FeatureExtractor,
        layer_weights: dict[str, float] | None = None,
        criterion: Criterion = "mse",
        feature_scale: float = 1 / 12.75,
        style_weight: float = 0.0,
    ) -> None:
        super().__init__()
        layers = [str(layer) for layer in extractor.layers]
        weights = dict.fromkeys(layers, 1.0) if layer_weights is None else dict(layer_weights)
        if set(weights) != set(layers):
            raise ArgumentError(
                f"layer_weights must give a weight to each of the extractor's layers {', '.join(layers)}; "
                f"got {', '.join(weights) or 'none'}"
            )
        if criterion not in ("mse", "l1"):
            raise ArgumentError(f"criterion must be 'mse' or 'l1'; got {criterion!r}")
        if style_weight < 0 or feature_scale <= 0:
            raise ArgumentError(
                "style_weight must be at least 0 and feature_scale above 0; "
                f"got {style_weight} and {feature_scale}"
            )
        self.extractor = extractor
        self.layer_weights = weights
        self.distance = F.mse_loss if criterion == "mse" else F.l1_loss
        self.feature_scale = feature_scale
        self.style_weight = style_weight

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The weighted sum over the layers."""
        with torch.autocast(sr.device.type, enabled=False):
            with torch.no_grad():
                wanted = self.extractor(hr.detach().float())
            found = self.extractor(sr.float())
            total = sr.new_zeros((), dtype=torch.float32)
            for layer, weight in self.layer_weights.items():
                total = total + weight * self._layer(found[layer].float(), wanted[layer].float())
            return total

    def _layer(self, sr: Tensor, hr: Tensor) -> Tensor:
        sr, hr = sr * self.feature_scale, hr * self.feature_scale
        loss = self.distance(sr, hr)
        if self.style_weight:
            loss = loss + self.style_weight * self.distance(gram(sr), gram(hr))
        return loss
