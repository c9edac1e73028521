"""Scores models, and images of other tools, on folders of images; bicubic is always included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.errors import DataError, UserError
from kornia_srgan.evaluation.datasets import EvalImage, EvalSet, check_sizes, find_sets
from kornia_srgan.evaluation.entrants import BASELINE, Entrant, make_entrants
from kornia_srgan.evaluation.folders import ImageFolder
from kornia_srgan.evaluation.known_sets import Check, bicubic_note, check_set
from kornia_srgan.evaluation.pairs import image_size, read_pair
from kornia_srgan.evaluation.protocols import (
    DEFAULT_METRICS,
    BandsView,
    ScoringProtocol,
    bands_view,
    make_metrics,
    protocol_for,
    without_unfit,
)
from kornia_srgan.evaluation.report import ImageScore, Report, Row

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from kornia_srgan.contracts import Generator, Metric
    from kornia_srgan.evaluation.levels import Level

DEFAULT_SCALE = 4
Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class ImageResult:
    """An enlarged image and its HR image on the CPU: RGB `(1, 3, H, W)`, or the bands that are shown."""

    model: str
    dataset: str
    scale: int
    image: str
    sr: Tensor
    hr: Tensor
    metrics: dict[str, float]


@dataclass(frozen=True)
class _Task:
    """One set at one level, and how it is scored."""

    found: EvalSet
    level: Level | None
    protocol: ScoringProtocol
    metrics: Mapping[str, Metric]
    pixels: PixelFormat
    view: BandsView

    @property
    def name(self) -> str:
        """`Set14`, or `Set14 q75`."""
        return f"{self.found.name} {self.level.name}" if self.level else self.found.name

    def pairs(self) -> Iterator[tuple[EvalImage, Tensor, Tensor]]:
        """Every image as LR, degraded by the level, and HR."""
        seeds = {
            path: seed
            for seed, path in enumerate(sorted(image.lr or image.hr for image in self.found.images))
        }
        for image in self.found.images:
            lr, hr = read_pair(image, self.found.scale, self.pixels)
            if self.level:
                lr = self.level(lr, seeds[image.lr or image.hr])
            yield image, lr, hr

    def score(self, image: EvalImage, sr: Tensor, hr: Tensor) -> dict[str, float]:
        """The scores of one enlarged image."""
        try:
            return self.protocol.score(sr, hr, scale=self.found.scale, metrics=self.metrics, view=self.view)
        except UserError as error:
            raise UserError(f"{self.found.name}, {image.name}: {error}", where=image.name) from error


def evaluate(
    models: Mapping[str, Generator],
    data: str | Path | Sequence[str | Path],
    *,
    images: Mapping[str, str | Path] | None = None,
    protocol: str | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    scale: int | None = None,
    pixels: PixelFormat = RGB,
    shown: tuple[int, ...] | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    on_result: Callable[[ImageResult], None] | None = None,
) -> Report:
    """Score generators on one or several sets; see `datasets` for the layouts.

    HR images are cropped to a multiple of the scale, from the top left. LR images are those of the set, or
    made by `matlab_bicubic`, and then degraded if the protocol has levels. Each image passes through the
    model whole.

    Args:
        models: Generators on `device`, by the names of their rows. Each is scored at its own scale.
        data: Folders or names of known sets.
        images: Folders of images enlarged by other tools, by the names of their rows; see `folders`.
        protocol: A name of `protocols.PROTOCOLS`; by default `ledig-y`, for other pixels than RGB `bands`.
        metrics: Names of registered metrics or of pyiqa's.
        scale: The scale of `images`, and of the baseline without a model; by default that of the models, or
            4.
        pixels: What the models are for: `PixelFormat(4, (0, 10000))` reads TIFF, GeoTIFF and `.npy` of four
            bands, 0 and 10000 being 0 and 1.
        shown: The bands, from 0, that metrics of RGB and `on_result` get as red, green and blue. Without them
            such metrics are left out, which the notes of the report say.
        device: The device of the models. Scores are computed on the CPU, in float64 for built-in metrics.
        progress: Called with row and set before each image.
        on_result: Called with each enlarged image, image by image; such as `CropSheets.add`.

    Returns:
        The report, with the bicubic baseline first.

    Raises:
        DataError: If no set is found, an image is too small or missing, or an LR image does not fit its
            HR image.
        UserError: If there is no such protocol or metric, or two rows have the same name.
    """
    scoring = protocol_for(pixels, protocol)
    made, view, left_out = make_metrics(metrics), BandsView(), ""
    if pixels != RGB:
        _check_bands(models, pixels, shown)
        shown = (0, 0, 0) if pixels.channels == 1 else shown
        made, left_out = without_unfit(made, pixels.channels, shown)
        view = bands_view(pixels, shown)
    folders = {name: ImageFolder(name, folder) for name, folder in (images or {}).items()}
    _check_names(models, folders)
    own = sorted({int(model.scale) for model in models.values()})
    common = scale or (own[0] if len(own) == 1 else DEFAULT_SCALE)
    rows: list[Row] = []
    checks: dict[str, Check] = {}
    for factor in sorted({*own, common} if folders else (own or [common])):
        at_scale = {name: model for name, model in models.items() if int(model.scale) == factor}
        at_hand = folders if factor == common else {}
        sets = _sets(data, factor, arrays=pixels.range is not None)
        levels = scoring.levels or (None,)
        tasks = [_Task(found, level, scoring, made, pixels, view) for found in sets for level in levels]
        for found in sets:
            _check_lr(found, scoring)
            check_sizes(found, scoring.smallest(factor), lambda path: image_size(path, pixels))
        for found in sets if pixels == RGB else ():
            if found.name not in checks and (check := check_set(found.name, [i.hr for i in found.images])):
                checks[found.name] = check
        entrants = [  # of all first: what is missing shows before any work
            make_entrants(
                at_scale, at_hand, task.found, task.level.name if task.level else "", device, pixels
            )
            for task in tasks
        ]
        parameters = {name: _parameters_of(model) for name, model in at_scale.items()}
        for task, entrant in zip(tasks, entrants, strict=True):
            rows += _evaluate_set(task, entrant, parameters, progress, on_result)
    notes = [note for check in checks.values() for note in check.notes]
    notes += [left_out] if left_out else _baseline_notes(rows, scoring.id)
    directions = {name: metric.higher_is_better for name, metric in made.items()}
    return Report(scoring.id, tuple(rows), _versions(made), directions, checks, tuple(notes))


def _parameters_of(model: object) -> int | None:
    """The number of parameters in inference; None if it is not a module."""
    from torch import nn

    from kornia_srgan.optimize.rewrites import count_folded_parameters

    return count_folded_parameters(model) if isinstance(model, nn.Module) else None


def _check_names(models: Mapping[str, object], folders: Mapping[str, object]) -> None:
    twice = sorted({*models} & {*folders} | ({*models, *folders} & {BASELINE}))
    if twice:
        raise UserError(
            f"two rows would be called '{twice[0]}'; give the images another name", where=twice[0]
        )


def _check_bands(models: Mapping[str, Generator], pixels: PixelFormat, shown: tuple[int, ...] | None) -> None:
    """Refuse generators of other channels, and bands that are not there.

    Raises:
        UserError: If there are any.
    """
    from kornia_srgan.contracts import StatesBands

    for name, model in models.items():
        bands = model.bands if isinstance(model, StatesBands) else 3
        if bands != pixels.channels:
            raise UserError(f"{name} takes {bands} channels, the images have {pixels.channels}", where=name)
    if shown is not None and (len(shown) != 3 or not all(0 <= band < pixels.channels for band in shown)):
        raise UserError(
            f"bands {', '.join(map(str, shown))}: choose three, each from 0 to {pixels.channels - 1}",
            where="bands",
        )


def _sets(data: str | Path | Sequence[str | Path], scale: int, *, arrays: bool) -> list[EvalSet]:
    sources = [data] if isinstance(data, str | Path) else list(data)
    if not sources:
        raise DataError("no evaluation folder was given", where="data")
    found = [one for source in sources for one in find_sets(source, scale, arrays=arrays)]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two evaluation sets are called '{name}'; rename a folder", where=name)
    return found


def _check_lr(found: EvalSet, protocol: ScoringProtocol) -> None:
    if protocol.needs_lr and found.lr_source != "files":
        raise DataError(
            f"{found.name} has no LR images at x{found.scale}, and protocol {protocol.name} makes none; "
            f"expected NAME_HR.png beside NAME_LR{found.scale}.png, or HR/ with LRx{found.scale}/",
            where=found.name,
        )


def _evaluate_set(
    task: _Task,
    entrants: Mapping[str, Entrant],
    parameters: Mapping[str, int | None],
    progress: Progress | None,
    on_result: Callable[[ImageResult], None] | None,
) -> list[Row]:
    scores: dict[str, list[ImageScore]] = {name: [] for name in entrants}
    seconds = dict.fromkeys(entrants, 0.0)
    pixels = 0
    for image, lr, hr in task.pairs():
        pixels += hr.shape[-2] * hr.shape[-1]
        for name, enlarge in entrants.items():
            if progress:
                progress(name, task.name)
            start = time.perf_counter()
            sr = enlarge(image, lr)
            seconds[name] += time.perf_counter() - start
            if sr.shape != hr.shape:
                raise UserError(
                    f"{name}: an image of {tuple(lr.shape[-2:])} was enlarged to {tuple(sr.shape[-2:])}, "
                    f"expected {tuple(hr.shape[-2:])}",
                    where=name,
                )
            metrics = task.score(image, sr, hr)
            scores[name].append(ImageScore(image.name, metrics))
            if on_result:
                seen = (task.view.rgb(sr), task.view.rgb(hr))
                on_result(ImageResult(name, task.name, task.found.scale, image.name, *seen, metrics))
    found = task.found
    return [
        Row(
            name,
            task.name,
            found.scale,
            found.lr_source,
            tuple(scores[name]),
            seconds[name] if name in parameters or name == BASELINE else 0.0,
            parameters.get(name),
            pixels,
        )
        for name in entrants
    ]


def _baseline_notes(rows: Sequence[Row], protocol: str) -> list[str]:
    notes = [
        bicubic_note(row.dataset, row.scale, row.mean["psnr"], protocol)
        for row in rows
        if row.model == BASELINE and "psnr" in row.mean
    ]
    return [note for note in notes if note]


def _versions(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """The versions that scores depend on."""
    from kornia_srgan._version import __version__
    from kornia_srgan.environment import package_version
    from kornia_srgan.evaluation.perceptual import DISTS, LPIPS
    from kornia_srgan.evaluation.pyiqa_metrics import NTIREPerceptual, PyIQA

    found = {"kornia_srgan": __version__} | {
        name: package_version(name) or "" for name in ("torch", "kornia", "pillow")
    }
    made_with = (PyIQA, NTIREPerceptual, LPIPS, DISTS)
    return found | {name: metric.version for name, metric in metrics.items() if isinstance(metric, made_with)}
