"""Scoring protocols by name and version; scores are only comparable within one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kornia_srgan.config.shorthand import parse_shorthand
from kornia_srgan.contracts import ScaledMetric
from kornia_srgan.errors import UnknownComponentError, UserError, close_match, did_you_mean
from kornia_srgan.evaluation.levels import PHOTO_LEVELS, Level
from kornia_srgan.registry.catalog import METRICS

if TYPE_CHECKING:
    from torch import Tensor

    from kornia_srgan.contracts import Metric
    from kornia_srgan.data.pixels import PixelFormat

DEFAULT_METRICS = ("psnr", "ssim")
SSIM_WINDOW = 11
_SOURCES = ("backbone", "pretrained_model_path", "device")


@dataclass(frozen=True)
class BandsView:
    """What metrics are given of images of other channels than RGB.

    Attributes:
        shown: The bands, from 0, that are red, green and blue.
        low: The stored value that is 0, in units of the range.
    """

    shown: tuple[int, ...] | None = None
    low: float = 0.0

    def rgb(self, images: Tensor) -> Tensor:
        """The chosen bands, quantised to 8 bits."""
        return images if self.shown is None else _quantise(images[:, list(self.shown)])

    def stored(self, images: Tensor) -> Tensor:
        """In proportion to the stored values."""
        return images + self.low


@dataclass(frozen=True)
class ScoringProtocol:
    """How one image is scored.

    Both images are quantised to 8 bits (not those of `bands`), a border is removed on each side, and the rest
    is compared.

    Attributes:
        name: The name for `--protocol`.
        version: Increased whenever a score would change.
        summary: One-line description.
        channels: `y`: studio-range BT.601 luma; `rgb`: mean over the three channels; `bands`: mean over all.
        border: Border in HR pixels; None for `scale` pixels.
        needs_lr: Whether the set must have its own LR images.
        levels: Degradations of the LR images; each level is scored as a separate set.
    """

    name: str
    version: int
    summary: str
    channels: Literal["y", "rgb", "bands"]
    border: int | None = None
    needs_lr: bool = False
    levels: tuple[Level, ...] = ()

    def smallest(self, scale: int) -> int:
        """The smallest side of an HR image that can be scored: SSIM's window plus the border."""
        needed = SSIM_WINDOW + 2 * self._border(scale)
        return -(-needed // scale) * scale  # HR is cropped to a multiple of the scale

    def _border(self, scale: int) -> int:
        return scale if self.border is None else self.border

    @property
    def id(self) -> str:
        """Name and version, as in reports."""
        return f"{self.name}/v{self.version}"

    def score(
        self,
        sr: Tensor,
        hr: Tensor,
        *,
        scale: int,
        metrics: Mapping[str, Metric] | None = None,
        view: BandsView | None = None,
    ) -> dict[str, float]:
        """Score one image.

        Args:
            sr: The result, `(1, C, H, W)` near [0, 1]; RGB but for `bands`.
            hr: The HR image, the same in [0, 1].
            scale: The upscaling factor of `sr`.
            metrics: The metrics by the names of their scores; by default PSNR (peak 255) and SSIM.
            view: For `bands`: what metrics of RGB and of stored values are given.
        """
        from kornia_srgan.evaluation.metrics import studio_luma

        prepare = _unit if self.channels == "bands" else _quantise
        whole = tuple(_cut_border(prepare(image), self._border(scale)) for image in (sr, hr))
        scored = tuple(studio_luma(image) for image in whole) if self.channels == "y" else whole
        view = view or BandsView()
        seen = {
            "protocol": scored,
            "rgb": tuple(map(view.rgb, whole)),
            "stored": tuple(map(view.stored, whole)),
        }
        metrics = make_metrics(DEFAULT_METRICS) if metrics is None else metrics
        scores: dict[str, float] = {}
        for name, metric in metrics.items():
            own = metric.for_scale(scale) if isinstance(metric, ScaledMetric) else metric
            scores[name] = own(*seen[own.on]).item()
        return scores


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        ScoringProtocol(
            "ledig-y", 1, "The papers' figures: Y channel, a border of `scale` pixels removed", "y"
        ),
        ScoringProtocol(
            "basicsr-rgb", 1, "BasicSR's default: RGB, a border of `scale` pixels removed", "rgb"
        ),
        ScoringProtocol(
            "ntire-y", 1, "NTIRE's SR challenges: Y channel, 4 pixels removed at every scale", "y", border=4
        ),
        ScoringProtocol(
            "realsr",
            1,
            "Pairs taken by a camera: as ledig-y, on the set's own LR images only",
            "y",
            needs_lr=True,
        ),
        ScoringProtocol(
            "photo",
            1,
            "LR as photographs are: clean, JPEG 90 and 75, noise and JPEG 50, noise; scored as ledig-y",
            "y",
            levels=PHOTO_LEVELS,
        ),
        ScoringProtocol(
            "bands",
            1,
            "Data of any channels and depth: all of them, not quantised, a border of `scale` pixels removed",
            "bands",
        ),
    )
}
DEFAULT_PROTOCOL = "ledig-y"
BANDS_PROTOCOL = "bands"


def get_protocol(name: str) -> ScoringProtocol:
    """Find a protocol by name, or by name and version: `photo`, `photo/v1`.

    Raises:
        UserError: If there is none, or only another version.
    """
    by_id = {protocol.id: protocol for protocol in PROTOCOLS.values()}
    if name in by_id:
        return by_id[name]
    base, slash, version = name.partition("/")
    if slash and base in PROTOCOLS:
        raise UserError(
            f"protocol '{base}' has no version '{version}'; this release has {PROTOCOLS[base].id}",
            where="protocol",
        )
    if name not in PROTOCOLS:
        hint = did_you_mean(name, PROTOCOLS)
        raise UserError(
            f"unknown protocol '{name}'{hint or ';'} known: {', '.join(PROTOCOLS)}", where="protocol"
        )
    return PROTOCOLS[name]


def usual_metrics(pixels: PixelFormat) -> tuple[str, ...]:
    """The metrics of references for images that are read by that format."""
    from kornia_srgan.data.pixels import RGB

    return (*DEFAULT_METRICS, "sam", "ergas") if pixels != RGB and pixels.channels > 1 else DEFAULT_METRICS


def make_metrics(names: Iterable[str]) -> dict[str, Metric]:
    """Create metrics by name, in order.

    Args:
        names: `NAME` or `NAME:ARGUMENT=VALUE,...` of registered metrics; those of pyiqa by their names, or as
            `pyiqa:NAME[,OPTION=VALUE,...]` if a registered metric has the same name.

    Raises:
        UnknownComponentError: If there is no such metric.
        MissingExtraError: If it needs a package that is not installed.
        OfflineError: If it needs weights that cannot be downloaded.
    """
    texts = [text.strip() for text in names]
    made = [_make_metric(text) for text in texts]
    labels = [label for label, _ in made]
    return {
        label if labels.count(label) == 1 else text: metric
        for text, (label, metric) in zip(texts, made, strict=True)
    }


def _make_metric(text: str) -> tuple[str, Metric]:
    """The name of its scores, and the metric."""
    from kornia_srgan.evaluation.pyiqa_metrics import QUOTED, PyIQA, is_known

    prefix = "pyiqa:"
    wanted = text.removeprefix(prefix).replace(",", ":", 1) if text.startswith(prefix) else text
    name, arguments = parse_shorthand(wanted, "--metric", "lpips:net=vgg")
    if wanted != text or (name not in METRICS and is_known(name)):
        return _label(prefix + name if name in METRICS else name, arguments), PyIQA(metric=name, **arguments)
    if name not in METRICS and not close_match(name, METRICS) and (likely := close_match(name, QUOTED)):
        raise UnknownComponentError(
            f"unknown metric '{name}'; did you mean '{likely}' of pyiqa?", where="metric"
        )
    return _label(METRICS.get(name).name, arguments), METRICS.create(name, **arguments)


def _label(name: str, arguments: Mapping[str, object]) -> str:
    """The name with the arguments that change what is measured: not the file or the device it comes from."""
    shown = {key: value for key, value in arguments.items() if key not in _SOURCES}
    return name + "".join(f"{',' if index else ':'}{k}={v}" for index, (k, v) in enumerate(shown.items()))


def protocol_for(pixels: PixelFormat, name: str | None = None) -> ScoringProtocol:
    """The protocol of that name, or the usual one.

    Raises:
        UserError: If there is none, or it is for RGB and the images are not.
    """
    from kornia_srgan.data.pixels import RGB

    if pixels == RGB:
        return get_protocol(name or DEFAULT_PROTOCOL)
    found = get_protocol(name or BANDS_PROTOCOL)
    if found.channels != "bands":
        raise UserError(
            f"protocol '{found.name}' is for RGB photographs, these weights are not; take {BANDS_PROTOCOL}",
            where="protocol",
        )
    return found


def bands_view(pixels: PixelFormat, shown: tuple[int, ...] | None) -> BandsView:
    """The view of images that are read by that format."""
    low, high = pixels.range or (0.0, 1.0)
    return BandsView(shown, low / (high - low))


def without_unfit(
    metrics: Mapping[str, Metric], channels: int, shown: tuple[int, ...] | None
) -> tuple[dict[str, Metric], str]:
    """The metrics that can score images of so many channels, and a note on the others; empty for none.

    Args:
        metrics: The metrics by name.
        channels: Of the images.
        shown: The bands that are red, green and blue, if they were chosen.
    """
    from kornia_srgan.evaluation.spectral import SAM

    lacking = [name for name, metric in metrics.items() if metric.on == "rgb" and shown is None]
    single = [name for name, metric in metrics.items() if isinstance(metric, SAM) and channels == 1]
    notes = [
        f"left out: {', '.join(names)} ({why})"
        for names, why in ((lacking, "of RGB; choose three bands"), (single, "of two channels or more"))
        if names
    ]
    kept = {name: metric for name, metric in metrics.items() if name not in (*lacking, *single)}
    return kept, "; ".join(notes)


def _unit(images: Tensor) -> Tensor:
    return images.double().clamp(0, 1)


def _quantise(images: Tensor) -> Tensor:
    return (images.double().clamp(0, 1) * 255 + 0.5).floor() / 255


def _cut_border(images: Tensor, border: int) -> Tensor:
    height, width = images.shape[-2:]
    if min(height, width) - 2 * border < SSIM_WINDOW:
        raise UserError(
            f"an image of {width}x{height} pixels is too small to score with a border of {border}"
        )
    return images[..., border : height - border, border : width - border]
