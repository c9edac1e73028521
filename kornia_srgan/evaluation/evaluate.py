"""Score models on folders of images, always beside bicubic."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kornia_srgan.errors import DataError, UserError
from kornia_srgan.evaluation.datasets import EvalImage, EvalSet, find_sets
from kornia_srgan.evaluation.protocols import DEFAULT_METRICS, DEFAULT_PROTOCOL, get_protocol, make_metrics
from kornia_srgan.evaluation.report import ImageScore, Report, Row

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from kornia_srgan.contracts import Generator

BASELINE = "bicubic"
Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class ImageResult:
    """An enlarged image beside the true one, both RGB `(1, 3, H, W)` on the CPU."""

    model: str
    dataset: str
    scale: int
    image: str
    sr: Tensor
    hr: Tensor
    metrics: dict[str, float]


def evaluate(
    models: Mapping[str, Generator],
    folder: str | Path,
    *,
    protocol: str = DEFAULT_PROTOCOL,
    metrics: Sequence[str] = DEFAULT_METRICS,
    scale: int = 4,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    on_result: Callable[[ImageResult], None] | None = None,
) -> Report:
    """Score generators on a set, or a folder of sets; see `datasets` for the layouts.

    HR images are cropped to a multiple of the scale from the top left. LR images are the set's own, or made
    by `matlab_bicubic`. Each image goes through the model whole.

    Args:
        models: Generators by the name that their rows get, on `device`. Each is scored at its own scale.
        folder: Where the images are.
        protocol: A name of `protocols.PROTOCOLS`.
        metrics: Names of registered metrics.
        scale: The baseline's scale where there is no model.
        device: Where models run; scoring is always float64 on the CPU.
        progress: Called with model and set before each row.
        on_result: Called with each enlarged image; `pictures.CropSheets.add` fits.

    Returns:
        The rows, the bicubic baseline first.

    Raises:
        DataError: If no set is found or an LR image does not fit its HR image.
        UserError: If there is no such protocol or metric, or an image is too small for it.
    """
    scoring = get_protocol(protocol)
    score = partial(scoring.score, metrics=make_metrics(metrics))
    scales = sorted({int(model.scale) for model in models.values()}) or [scale]
    rows: list[Row] = []
    for factor in scales:
        at_scale = {name: model for name, model in models.items() if int(model.scale) == factor}
        for found in find_sets(folder, factor):
            for name, model in {BASELINE: _Bicubic(factor), **at_scale}.items():
                if progress:
                    progress(name, found.name)
                row = _evaluate_set(name, model, found, score=score, device=device, on_result=on_result)
                rows.append(row)
    return Report(scoring.id, tuple(rows), _versions())


class _Bicubic:
    """The baseline: MATLAB's bicubic enlargement."""

    def __init__(self, scale: int) -> None:
        from kornia_srgan.registry.catalog import RESIZERS

        self.scale = scale
        self._resize = RESIZERS.create("matlab_bicubic")

    def __call__(self, lr: Tensor) -> Tensor:
        height, width = lr.shape[-2:]
        return self._resize(lr, (height * self.scale, width * self.scale))


def _evaluate_set(
    name: str,
    model: Generator,
    found: EvalSet,
    *,
    score: Callable[..., dict[str, float]],
    device: str | torch.device,
    on_result: Callable[[ImageResult], None] | None,
) -> Row:
    import torch

    scores, seconds = [], 0.0
    for image in found.images:
        lr, hr = load_pair(image, found.scale)
        start = time.perf_counter()
        with torch.inference_mode():
            sr = model(lr.to(device)).float().cpu()
        seconds += time.perf_counter() - start
        if sr.shape != hr.shape:
            raise UserError(
                f"{name}: an image of {tuple(lr.shape[-2:])} became {tuple(sr.shape[-2:])}, expected "
                f"{tuple(hr.shape[-2:])}"
            )
        try:
            metrics = score(sr, hr, scale=found.scale)
        except UserError as error:
            raise UserError(f"{found.name}, {image.name}: {error}") from error
        scores.append(ImageScore(image.name, metrics))
        if on_result:
            on_result(ImageResult(name, found.name, found.scale, image.name, sr, hr, metrics))
    return Row(name, found.name, found.scale, found.lr_source, tuple(scores), seconds)


def load_pair(image: EvalImage, scale: int) -> tuple[Tensor, Tensor]:
    """LR and HR of an image as RGB `(1, 3, H, W)` float32 in [0, 1], HR cropped to what LR covers.

    Raises:
        DataError: If the LR file's size is not that of HR divided by the scale.
        ImageError: If a file cannot be decoded.
    """
    hr = _read(image.hr)
    height, width = (side - side % scale for side in hr.shape[-2:])
    hr = hr[..., :height, :width]
    if image.lr is None:
        from kornia_srgan.registry.catalog import RESIZERS

        return RESIZERS.create("matlab_bicubic")(hr, (height // scale, width // scale)), hr
    lr = _read(image.lr)
    if tuple(lr.shape[-2:]) != (height // scale, width // scale):
        raise DataError(
            f"{image.lr} has {lr.shape[-1]}x{lr.shape[-2]} pixels; x{scale} of {image.hr} "
            f"needs {width // scale}x{height // scale}"
        )
    return lr, hr


def _read(path: Path) -> Tensor:
    import torch

    from kornia_srgan.data.images import read_rgb

    return torch.from_numpy(read_rgb(path)).permute(2, 0, 1).unsqueeze(0).float() / 255


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    from kornia_srgan._version import __version__

    return {"kornia_srgan": __version__, "torch": version("torch"), "kornia": version("kornia")}
