"""Named, versioned ways of scoring a super-resolved image; figures compare only within one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kornia_srgan.errors import UserError, did_you_mean
from kornia_srgan.registry.catalog import METRICS

if TYPE_CHECKING:
    from torch import Tensor

    from kornia_srgan.contracts import Metric

DEFAULT_METRICS = ("psnr", "ssim")


@dataclass(frozen=True)
class ScoringProtocol:
    """How one image is scored.

    Both images are quantised to 8 bits, a border of `border_per_scale * scale` pixels is removed on each
    side, and what is left is compared.

    Attributes:
        name: What `--protocol` takes.
        version: Raised whenever a figure would change.
        summary: One line about it.
        channels: `y`: studio-range BT.601 luma; `rgb`: mean over the three channels.
        border_per_scale: Border in LR pixels.
    """

    name: str
    version: int
    summary: str
    channels: Literal["y", "rgb"]
    border_per_scale: int = 1

    @property
    def id(self) -> str:
        """Name and version, as reports carry it."""
        return f"{self.name}/v{self.version}"

    def score(
        self, sr: Tensor, hr: Tensor, *, scale: int, metrics: Mapping[str, Metric] | None = None
    ) -> dict[str, float]:
        """Score one image.

        Args:
            sr: The result, RGB `(1, 3, H, W)` near [0, 1].
            hr: The true image, RGB `(1, 3, H, W)` in [0, 1].
            scale: The factor that `sr` was enlarged by.
            metrics: What to compute, by the name the figure gets; PSNR (peak 255) and SSIM by default.
        """
        from kornia_srgan.evaluation.metrics import luma

        border = self.border_per_scale * scale
        rgb = tuple(_cut_border(_quantise(image), border) for image in (sr, hr))
        scored = tuple(luma(image) for image in rgb) if self.channels == "y" else rgb
        metrics = make_metrics(DEFAULT_METRICS) if metrics is None else metrics
        return {
            name: metric(*(scored if metric.on == "protocol" else rgb)).item()
            for name, metric in metrics.items()
        }


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        ScoringProtocol(
            "ledig-y", 1, "The papers' figures: Y channel, a border of `scale` pixels removed", "y"
        ),
        ScoringProtocol(
            "basicsr-rgb", 1, "BasicSR's default: RGB, a border of `scale` pixels removed", "rgb"
        ),
    )
}
DEFAULT_PROTOCOL = "ledig-y"


def get_protocol(name: str) -> ScoringProtocol:
    """The protocol of that name.

    Raises:
        UserError: If there is none.
    """
    if name not in PROTOCOLS:
        hint = did_you_mean(name, PROTOCOLS)
        raise UserError(f"unknown protocol '{name}'{hint or ';'} known: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def make_metrics(names: Iterable[str]) -> dict[str, Metric]:
    """Registered metrics by name, in order.

    Raises:
        UnknownComponentError: If there is no such metric.
        MissingExtraError: If it needs a package that is not installed.
        OfflineError: If it needs weights that cannot be downloaded.
    """
    return {METRICS.get(name).name: METRICS.create(name) for name in names}


def _quantise(images: Tensor) -> Tensor:
    return (images.double().clamp(0, 1) * 255 + 0.5).floor() / 255


def _cut_border(images: Tensor, border: int) -> Tensor:
    height, width = images.shape[-2:]
    if min(height, width) - 2 * border < 11:
        raise UserError(
            f"an image of {width}x{height} pixels is too small to score with a border of {border}"
        )
    return images[..., border : height - border, border : width - border]
