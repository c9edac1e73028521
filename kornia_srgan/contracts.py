"""What components promise each other. Types only: nothing here imports torch at run time.

Convention for every image tensor at every boundary: RGB, `(B, 3, H, W)`, floating point, values in [0, 1].
How a component gets there (a generator trained in [-1, 1], a discriminator that centres its input, an
extractor with ImageNet statistics) is its own affair and happens inside its `forward`.
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
    """How a generator's output lies over its input; read by `kornia_srgan.geometry.geometry_of`.

    Attributes:
        scale: Factor of enlargement, 1 or more.
        halo: LR pixels on each side that an output pixel depends on; None for the whole image.
        align: Tiles must start on multiples of this many LR pixels, for generators that begin by unshuffling
            pixels; 1 for any start.
        blend: LR pixels on each side of a seam over which tiles fade into each other, for generators whose
            halo covers most of what they see and not all; 0 for tiles that leave no trace.
    """

    scale: int
    halo: int | None
    align: int = 1
    blend: int = 0


@runtime_checkable
class Generator(Protocol):
    """An `nn.Module` that makes a larger image.

    `generator(lr)` maps `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped, for
    every h, w >= 1. `scale` is all it must state. It may also state `halo`, `align` and `blend`, with the
    meanings that they have in `Geometry`; without `halo` the reach is measured.
    """

    scale: int

    def __call__(self, lr: Tensor) -> Tensor:
        """Enlarge."""
        ...


@runtime_checkable
class LimitedPrecision(Protocol):
    """A generator that cannot compute in every floating dtype; `supported_dtypes` names those that it can."""

    supported_dtypes: tuple[str, ...]


@runtime_checkable
class StartsFromWeights(Protocol):
    """A generator's class with arguments that matter until training alone, such as pretrained features.

    `start_arguments` are what a weight file's header says instead: rebuilding needs no download then.
    """

    start_arguments: Mapping[str, Any]


@runtime_checkable
class KeepsLayout(Protocol):
    """A generator that may fail on tensors laid out channels-last; `keeps_layout` says whether it does."""

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

    It normalises by its own mean and std. `layers` names what it returns, in order.
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
    """An image loss with a network of its own that can compute in the run's precision.

    Losses are called without autocast; one that has this method is told before the first step.
    """

    def set_precision(self, half: torch.dtype | None) -> None:
        """Compute the network in `half`, bfloat16 or float16, or in float32 where it is None."""
        ...


@runtime_checkable
class AdversarialLoss(Protocol):
    """The two sides of the game, from logits.

    `needs_real` says that the generator's side compares with the logits of real images (relativistic losses).
    """

    needs_real: bool

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The scalar that the generator minimises."""
        ...

    def discriminator(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The true loss and the false loss; the discriminator minimises their sum."""
        ...


@runtime_checkable
class PenalizedLoss(Protocol):
    """An `AdversarialLoss` that also penalises the discriminator, as by its gradient (R1, WGAN-GP)."""

    def penalty(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor | None:
        """What is added to the discriminator's loss; None for nothing."""
        ...


@runtime_checkable
class GradientPenalizedLoss(PenalizedLoss, Protocol):
    """A `PenalizedLoss` that differentiates a gradient, which a compiled discriminator cannot do.

    `gradient_penalties` gives the weight of each such penalty by name; 0 for one that is not used.
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

    `seeds` holds one integer per image of the batch. The result is a function of images and seeds alone, so
    that a resumed run, on any rank, draws what the first one drew.
    """

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Augment."""
        ...


@runtime_checkable
class Degradation(Protocol):
    """Makes LR images from HR images `(B, 3, H, W)` in [0, 1]: `(B, 3, *size)` in [0, 1], float32.

    More than a resizer: it may blur, add noise, compress, each image in its own way. As with augmentations,
    what an image becomes is a function of the image, its seed and the size alone.
    """

    def __call__(self, images: Tensor, seeds: Sequence[int], size: tuple[int, int]) -> Tensor:
        """Degrade."""
        ...


@dataclass(frozen=True)
class Canvas:
    """Images of different sizes in one batch, on their way through the stages of a degradation.

    Attributes:
        pixels: `(B, 3, H, W)` float32. Image i fills the top left `heights[i]` by `widths[i]` of it; what
            lies to the right and below repeats its border.
        heights: Height of each image.
        widths: Width of each image.
    """

    pixels: Tensor
    heights: tuple[int, ...]
    widths: tuple[int, ...]


@runtime_checkable
class DegradationStage(Protocol):
    """One step of a degradation: blur, resize, noise, compression.

    `seeds` holds one integer per image, other ones for each stage; `size` is the size of the final result.
    """

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Take the step."""
        ...


@runtime_checkable
class Metric(Protocol):
    """Scores images `(B, C, H, W)` in [0, 1] against references of the same shape: `(B,)`, float64.

    `on` says what it is given: `protocol`, the channels that the evaluation protocol scores, or `rgb`. The
    images are quantised to 8 bits and without the protocol's border. A metric without reference ignores it.
    """

    on: Literal["protocol", "rgb"]
    higher_is_better: bool

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """The score of each image."""
        ...


@runtime_checkable
class ScaledMetric(Metric, Protocol):
    """A metric whose figure depends on the factor that images were enlarged by."""

    def for_scale(self, scale: int) -> Metric:
        """The metric for images of that factor."""
        ...


@dataclass(frozen=True)
class Batch:
    """What a training step sees.

    Attributes:
        lr: `(B, 3, h, w)` in [0, 1].
        hr: `(B, 3, scale*h, scale*w)` in [0, 1].
    """

    lr: Tensor
    hr: Tensor


@dataclass(frozen=True)
class LossReport:
    """A loss and what it is made of.

    Attributes:
        total: The float32 scalar to call `backward` on.
        terms: The weighted terms that add up to it and what is worth logging beside them, detached.
    """

    total: Tensor
    terms: Mapping[str, Tensor]
