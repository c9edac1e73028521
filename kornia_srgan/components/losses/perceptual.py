"""Perceptual (content) loss: the distance between features of SR and HR."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from kornia_srgan.contracts import FeatureExtractor
from kornia_srgan.errors import ArgumentError
from kornia_srgan.ops.distances import mean_absolute, mean_square

Criterion = Literal["mse", "l1"]
Normalize = Literal["none", "hr_mean"]
_LEAST_MEAN = 1e-6  # of HR's features, so that nothing is divided by zero


def gram_matrix(features: Tensor) -> Tensor:
    """Correlations of the channels, `(B, C, h, w)` to `(B, C, C)`, divided by C*h*w.

    Johnson et al. 2016, arXiv 1603.08155.
    """
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / features[0].numel()


def random_shifts(sr: Tensor, hr: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Each pair cut at its own offset of 0 to `most` pixels on both axes.

    The offsets follow from the grey levels of HR and from nothing else: a resumed run draws the same ones,
    and so does a batch that is shared by several processes.

    Args:
        sr: `(B, 3, H, W)`.
        hr: The same shape, in [0, 1].
        most: The largest offset, in pixels; less than H and W.

    Returns:
        Both, `(B, 3, H - most, W - most)`.

    Raises:
        ArgumentError: If the images are not larger than `most`.
    """
    height, width = hr.shape[-2] - most, hr.shape[-1] - most
    if min(height, width) < 1:
        raise ArgumentError(
            f"jitter {most} needs images larger than {most} pixels; got {tuple(hr.shape)}", where="jitter"
        )
    # whole numbers, so that the order of the sum does not matter
    sums = (hr.detach() * 255).round().to(torch.int64).sum(dim=(1, 2, 3)).tolist()
    offsets = [divmod(total % (most + 1) ** 2, most + 1) for total in sums]

    def cut(images: Tensor) -> Tensor:
        parts = [x[:, y : y + height, z : z + width] for x, (y, z) in zip(images, offsets, strict=True)]
        return torch.stack(parts)

    return cut(sr), cut(hr)


class PerceptualLoss(nn.Module):
    """The distance between the features of SR and HR, `(B, 3, H, W)` in [0, 1]; a float32 scalar.

    The content loss of SRGAN (Ledig et al. 2017, arXiv 1609.04802, equation 5): mean squared error of VGG19's
    relu5_4, features divided by 12.75. ESRGAN (Wang et al. 2018, arXiv 1809.00219) takes l1 on conv5_4;
    Real-ESRGAN several layers with weights.

    The gradient reaches SR only: HR goes through the extractor without a graph. One forward of both together
    would cost a second backward through the extractor for HR, whose gradient nobody asks for.

    In a run in bfloat16 or float16 the extractor computes in that precision too, unless `mixed_precision` is
    off; the training step says so by `set_precision`. Distances are always float32, and without that word so
    are the features, also under autocast.

    Args:
        extractor: A frozen feature extractor.
        layer_weights: Weight of each of the extractor's layers; by default 1 for each.
        criterion: `mse` or `l1`, between features.
        feature_scale: Factor of the features before they are compared.
        normalize: `hr_mean` divides the features of each layer by the mean magnitude of HR's there (over the
            batch of one process, without a gradient), so that layers count by their weights alone, whatever
            the size of their features; with `l1` that is each distance divided by it. `feature_scale` then
            cancels out. `none` compares them as they are.
        style_weight: Weight of the same criterion between Gram matrices (style); 0 leaves it out.
        jitter: Compare each pair from an offset of 0 to `jitter` pixels on both axes; see `random_shifts`.
            For extractors whose convolutions have strides (EfficientNet, ResNet): they treat pixels of odd
            and even position differently, and that pattern would be woven into the image. One less than
            the deepest layer's stride covers every phase. VGG's convolutions have none; leave it 0.
        mixed_precision: Whether the extractor follows the run's precision.
        bands: Which three channels the extractor sees as red, green and blue, from 0; needed where images
            have another number of channels than three.

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
        normalize: Normalize = "none",
        style_weight: float = 0.0,
        jitter: int = 0,
        mixed_precision: bool = True,
        bands: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__()
        layers = [str(layer) for layer in extractor.layers]
        weights = dict.fromkeys(layers, 1.0) if layer_weights is None else dict(layer_weights)
        if set(weights) != set(layers):
            raise ArgumentError(
                f"layer_weights must give a weight to each of the extractor's layers {', '.join(layers)}; "
                f"got {', '.join(weights) or 'none'}",
                where="layer_weights",
            )
        if criterion not in ("mse", "l1"):
            raise ArgumentError(f"criterion must be 'mse' or 'l1'; got {criterion!r}", where="criterion")
        if normalize not in ("none", "hr_mean"):
            raise ArgumentError(
                f"normalize must be 'none' or 'hr_mean'; got {normalize!r}", where="normalize"
            )
        if style_weight < 0 or feature_scale <= 0:
            raise ArgumentError(
                "style_weight must be at least 0 and feature_scale above 0; "
                f"got {style_weight} and {feature_scale}",
                where="style_weight",
            )
        if jitter < 0:
            raise ArgumentError(f"jitter must be at least 0; got {jitter}", where="jitter")
        if bands is not None and (len(bands) != 3 or min(bands) < 0):
            raise ArgumentError(
                f"bands must be three numbers of channels from 0; got {bands!r}", where="bands"
            )
        self.bands = list(bands) if bands is not None else None
        self.extractor = extractor
        self.layer_weights = weights
        self.distance, self.power = (mean_square, 2) if criterion == "mse" else (mean_absolute, 1)
        self.feature_scale = feature_scale
        self.normalize = normalize
        self.style_weight = style_weight
        self.jitter = jitter
        self.mixed_precision = mixed_precision
        self._half: torch.dtype | None = None

    def set_precision(self, half: torch.dtype | None) -> None:
        """Let the extractor compute in `half`, bfloat16 or float16; None is float32."""
        self._half = half if self.mixed_precision else None

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The weighted sum over the layers."""
        if self.bands is not None:
            sr, hr = sr[:, self.bands], hr[:, self.bands]
        elif sr.shape[1] != 3:
            raise ArgumentError(
                f"the extractor sees three channels, images have {sr.shape[1]}; say which: bands: [0, 1, 2]",
                where="bands",
            )
        if self.jitter:
            sr, hr = random_shifts(sr, hr, self.jitter)
        with torch.autocast(sr.device.type, dtype=self._half, enabled=self._half is not None):
            with torch.no_grad():
                wanted = self.extractor(hr.detach().float())
            found = self.extractor(sr.float())
        with torch.autocast(sr.device.type, enabled=False):
            total = sr.new_zeros((), dtype=torch.float32)
            for layer, weight in self.layer_weights.items():
                total = total + weight * self._layer(found[layer], wanted[layer])
            return total

    def _layer(self, sr: Tensor, hr: Tensor) -> Tensor:
        factor = self.feature_scale
        if self.normalize == "hr_mean":
            factor = 1 / hr.float().abs().mean().clamp_min(_LEAST_MEAN)
        # Of scaled features; the distance is scaled instead, which is one number and not two large tensors.
        loss = self.distance(sr, hr) * factor**self.power
        if self.style_weight:
            style = self.distance(gram_matrix(sr.float()), gram_matrix(hr.float()))
            loss = loss + self.style_weight * style * factor ** (2 * self.power)
        return loss
