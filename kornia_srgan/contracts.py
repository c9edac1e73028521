"""The protocols that components implement. Types only; torch is not imported at run time.

Every image tensor passed between components is RGB, `(B, 3, H, W)`, floating point, in [0, 1]. A component
that works in another range (a generator trained in [-1, 1], a discriminator that centres its input, an
extractor with ImageNet statistics) converts inside its `forward`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Geometry:
    """How a generator's output relates to its input; see `kornia_srgan.geometry.geometry_of`.

    Attributes:
        scale: Upscaling factor, 1 or more.
        halo: LR pixels on each side that an output pixel depends on; None for the whole image.
        align: Tiles must start at multiples of this many LR pixels, for generators that begin with a pixel
            unshuffle; 1 for any position.
        blend: LR pixels on each side of a seam over which tiles are blended, for generators that see further
            than their halo; 0 for tiles without seams.
    """

    scale: int
    halo: int | None
    align: int = 1
    blend: int = 0


@runtime_checkable
class Generator(Protocol):
    """An `nn.Module` that enlarges images.

    `generator(lr)` maps `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped, for
    every h, w >= 1. Only the attribute `scale` is required. `halo`, `align` and `blend` are optional, see
    `Geometry`; without `halo`, the receptive field is measured.
    """

    scale: int

    def __call__(self, lr: Tensor) -> Tensor:
        """Enlarge."""
        ...


@runtime_checkable
class LimitedPrecision(Protocol):
    """A generator that cannot compute in every floating dtype; `supported_dtypes` lists those it supports."""

    supported_dtypes: tuple[str, ...]


@runtime_checkable
class StatesBands(Protocol):
    """A generator that says how many channels its images have; without it they are RGB."""

    bands: int


@runtime_checkable
class StartsFromWeights(Protocol):
    """A generator class with arguments that only matter before training, such as pretrained features.

    Headers of weight files store `start_arguments` instead, so that rebuilding needs no download.
    """

    start_arguments: Mapping[str, Any]


@runtime_checkable
class KeepsLayout(Protocol):
    """A generator that may fail on channels-last tensors; `keeps_layout` is True if it does."""

    keeps_layout: bool


@runtime_checkable
class Discriminator(Protocol):
    """An `nn.Module` that maps images `(B, 3, H, W)` in [0, 1] to logits, `(B, 1)` or `(B, 1, h, w)`.

    No sigmoid inside: adversarial losses take logits.
    """

    def __call__(self, images: Tensor) -> Tensor:
        """Logits of the images."""
        ...


@runtime_checkable
class FeatureExtractor(Protocol):
    """A frozen `nn.Module`: images `(B, 3, H, W)` in [0, 1] to features `(B, C, h, w)` by layer name.

    It normalises with its own mean and std. `layers` lists the names of its outputs in order.
    """

    layers: Sequence[str]

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        """Features by layer."""
        ...


@runtime_checkable
class ImageLoss(Protocol):
    """An `nn.Module` that compares SR to HR, both `(B, 3, H, W)` in [0, 1], and returns a float32 scalar."""

    def __call__(self, sr: Tensor, hr: Tensor) -> Tensor:
        """The distance of SR to HR."""
        ...


@runtime_checkable
class MixedPrecisionLoss(ImageLoss, Protocol):
    """An image loss whose network can compute in the precision of the run.

    Losses are called without autocast. `set_precision` is called before the first step.
    """

    def set_precision(self, half: torch.dtype | None) -> None:
        """Compute the network in `half`, bfloat16 or float16, or in float32 where it is None."""
        ...


@runtime_checkable
class AdversarialLoss(Protocol):
    """The losses of generator and discriminator, from logits.

    `needs_real` is True if the generator's loss needs the logits of real images (relativistic losses).
    """

    needs_real: bool

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The generator's loss, a scalar."""
        ...

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The true loss and the false loss; the discriminator minimises their sum."""
        ...


@runtime_checkable
class PenalizedLoss(Protocol):
    """An `AdversarialLoss` with a penalty on the discriminator, such as R1 or WGAN-GP."""

    def penalty(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor | None:
        """The term that is added to the discriminator's loss, or None."""
        ...


@runtime_checkable
class GradientPenalizedLoss(PenalizedLoss, Protocol):
    """A `PenalizedLoss` that needs second derivatives, which a compiled discriminator does not have.

    `gradient_penalties` maps each penalty to its weight; 0 if it is not used.
    """

    @property
    def gradient_penalties(self) -> Mapping[str, float]:
        """The weights by name."""
        ...


@runtime_checkable
class Resizer(Protocol):
    """Resizes images `(B, C, H, W)` in [0, 1] to `size` = (height, width); the result is in [0, 1]."""

    def __call__(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize."""
        ...


@runtime_checkable
class Augmentation(Protocol):
    """Changes HR images `(B, 3, H, W)` in [0, 1] on their device; the result has the same shape and range.

    `seeds` holds one integer per image. The result depends only on images and seeds, so that a resumed run
    makes the same choices on any rank.
    """

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Augment."""
        ...


@runtime_checkable
class PairAugmentation(Augmentation, Protocol):
    """An augmentation that may go over both images of a pair, called on each with the same seeds.

    `keeps_pairs` says whether LR still fits HR then. Augmentations without it change HR before LR is made,
    and leave pairs alone.
    """

    keeps_pairs: bool


@runtime_checkable
class Degradation(Protocol):
    """Makes LR images from HR images `(B, 3, H, W)` in [0, 1]: `(B, 3, *size)` in [0, 1], float32.

    Unlike a resizer, it may blur, add noise and compress, differently for each image. As with augmentations,
    the result depends only on the image, its seed and the size.
    """

    def __call__(self, images: Tensor, seeds: Sequence[int], size: tuple[int, int]) -> Tensor:
        """Degrade."""
        ...


@dataclass(frozen=True)
class Canvas:
    """A batch of images of different sizes between the stages of a degradation.

    Attributes:
        pixels: `(B, 3, H, W)` float32. Image i fills the top left `heights[i]` by `widths[i]`; the area to
            the right and below repeats its border.
        heights: Height of each image.
        widths: Width of each image.
    """

    pixels: Tensor
    heights: tuple[int, ...]
    widths: tuple[int, ...]


@runtime_checkable
class DegradationStage(Protocol):
    """One step of a degradation: blur, resize, noise, compression.

    `seeds` holds one integer per image, different in each stage; `size` is the size of the final result.
    """

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Apply the stage."""
        ...


@runtime_checkable
class Metric(Protocol):
    """Scores images `(B, C, H, W)` in [0, 1] against references of the same shape: `(B,)`, float64.

    `on` selects the input: `protocol`, the channels of the evaluation protocol; `rgb`; or `stored`, all
    channels in proportion to the stored values. Images are quantised to 8 bits (but for the protocol `bands`)
    and cropped by the protocol's border. No-reference metrics ignore `references`.
    """

    higher_is_better: bool

    @property
    def on(self) -> Literal["protocol", "rgb", "stored"]:
        """The input."""
        ...

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """The score of each image."""
        ...


@runtime_checkable
class ScaledMetric(Metric, Protocol):
    """A metric that depends on the upscaling factor."""

    def for_scale(self, scale: int) -> Metric:
        """The metric for images of that scale."""
        ...


@dataclass(frozen=True)
class Batch:
    """The images of a training step.

    Attributes:
        lr: `(B, 3, h, w)` in [0, 1].
        hr: `(B, 3, scale*h, scale*w)` in [0, 1].
    """

    lr: Tensor
    hr: Tensor


@dataclass(frozen=True)
class LossReport:
    """A loss and its terms.

    Attributes:
        total: The float32 scalar to call `backward` on.
        terms: The weighted terms that add up to it, and further values to log; detached.
    """

    total: Tensor
    terms: Mapping[str, Tensor]
