"""The report of an evaluation, and its formats: JSON, CSV, Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from kornia_srgan.evaluation.known_sets import Check
from kornia_srgan.markdown import markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kornia_srgan.evaluation.statistics import Statistics

SCHEMA = 1
# Title and decimals; a metric that is not here is written in capitals with four.
_METRICS = {
    "psnr": ("PSNR", 2),
    "ssim": ("SSIM", 4),
    "niqe": ("NIQE", 2),
    "sam": ("SAM", 2),
    "ergas": ("ERGAS", 2),
}


@dataclass(frozen=True)
class ImageScore:
    """The scores of one image."""

    image: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Row:
    """One model on one set.

    Attributes:
        model: The name of the row: weights, or `bicubic`.
        dataset: The name of the set.
        scale: The upscaling factor.
        lr_source: `files`, or the resizer that made the LR images.
        images: The scores of every image.
        seconds: Time in the model over all images; 0 for images of other tools.
        parameters: Number of parameters in inference, where re-parameterised convolutions are single ones;
            None for images of other tools.
        pixels: Total pixels of the enlarged images.
    """

    model: str
    dataset: str
    scale: int
    lr_source: str
    images: tuple[ImageScore, ...]
    seconds: float = 0.0
    parameters: int | None = None
    pixels: int = 0

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each metric over the images, without NaN."""
        return {
            name: _mean([image.metrics[name] for image in self.images]) for name in self.images[0].metrics
        }

    def format(self, metric: str) -> str:
        """The mean of a metric as it is printed."""
        return format_metrics({metric: self.mean[metric]})


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


@dataclass(frozen=True)
class Report:
    """All rows of an evaluation.

    Attributes:
        protocol: Name and version of the protocol.
        rows: One per model and set.
        versions: The versions of the software.
        higher_is_better: The direction of each metric.
        checks: Checks of known sets.
        notes: Notes for the reader.
    """

    protocol: str
    rows: tuple[Row, ...]
    versions: dict[str, str] = field(default_factory=dict)
    higher_is_better: dict[str, bool] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def datasets(self) -> list[str]:
        """The sets' names, in order."""
        return list(dict.fromkeys(row.dataset for row in self.rows))

    @property
    def metrics(self) -> list[str]:
        """The metrics' names, in order."""
        return list(self.rows[0].mean)

    def table(self, statistics: Statistics | None = None) -> tuple[list[str], list[list[str]]]:
        """Headings and rows: one row per model and scale, one column per set.

        Args:
            statistics: Adds its marks to the scores.
        """
        headings = ["model", "scale", *(f"{d} {self.metric_heading}" for d in self.datasets)]
        by_model: dict[tuple[str, int], dict[str, Row]] = {}
        for row in self.rows:
            by_model.setdefault((row.model, row.scale), {})[row.dataset] = row
        lines = [
            [model, f"x{scale}", *(_cell(found.get(d), statistics) for d in self.datasets)]
            for (model, scale), found in by_model.items()
        ]
        return headings, lines

    def to_markdown(self, statistics: Statistics | None = None) -> str:
        """The means as a Markdown table."""
        return markdown_table(*self.table(statistics))

    def to_csv(self) -> str:
        """CSV with one line per model, set and image, and the means."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["protocol", "model", "scale", "dataset", "image", *self.metrics])
        for row in self.rows:
            for name, metrics in [*((i.image, i.metrics) for i in row.images), ("mean", row.mean)]:
                figures = [f"{metrics[m]:.6f}" for m in self.metrics]
                writer.writerow([self.protocol, row.model, row.scale, row.dataset, name, *figures])
        return out.getvalue()

    def to_json(self, statistics: Statistics | None = None) -> str:
        """The whole report as JSON."""
        content: dict[str, Any] = {"schema": SCHEMA, **asdict(self)}
        if statistics:
            content["statistics"] = statistics.content()
        for row, written in zip(self.rows, content["rows"], strict=True):
            written["mean"] = row.mean
        return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read the text of `to_json`. Infinity and NaN, which JSON lacks, become NaN.

        Raises:
            ValueError: If the text has another form.
        """
        content = json.loads(text)
        try:
            if content["schema"] != SCHEMA:
                raise ValueError(f"schema {content['schema']}, expected {SCHEMA}")
            rows = tuple(_row(row) for row in content["rows"])
            if not rows:
                raise ValueError("no rows")
            checks = {
                name: Check(**check | {"notes": tuple(check["notes"])})
                for name, check in content.get("checks", {}).items()
            }
            return cls(
                content["protocol"],
                rows,
                content["versions"],
                content.get("higher_is_better", {}),
                checks,
                tuple(content.get("notes", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no report of an evaluation: {error!r}") from None

    @property
    def metric_heading(self) -> str:
        """`PSNR / SSIM`."""
        return " / ".join(metric_title(name) for name in self.metrics)


def _cell(row: Row | None, statistics: Statistics | None) -> str:
    if row is None:
        return ""
    marks = {name: statistics.mark(row, name) for name in row.mean} if statistics else {}
    return format_metrics(row.mean, marks)


def metric_title(name: str) -> str:
    """`PSNR` of `psnr`."""
    plain, colon, arguments = name.partition(":")
    return _METRICS[name][0] if name in _METRICS else f"{plain.upper()}{colon}{arguments}"


def decimals_of(metric: str) -> int:
    """How many decimals a metric is printed with."""
    return _METRICS[metric][1] if metric in _METRICS else 4


def format_metrics(metrics: Mapping[str, float], marks: Mapping[str, str] | None = None) -> str:
    """`28.43 / 0.8111`, each with its mark; `-` for what cannot be computed."""
    marks = marks or {}
    return " / ".join(
        "-" if math.isnan(value) else f"{value:.{decimals_of(name)}f}{marks.get(name, '')}"
        for name, value in metrics.items()
    )


def _row(content: dict[str, Any]) -> Row:
    images = tuple(
        ImageScore(
            image["image"], {m: math.nan if v is None else float(v) for m, v in image["metrics"].items()}
        )
        for image in content["images"]
    )
    if not images:
        raise ValueError("a row without images")
    facts = {key: value for key, value in content.items() if key not in ("images", "mean")}
    return Row(**facts, images=images)


def _finite(node: Any) -> Any:
    """JSON has no infinity and no NaN: they become null."""
    if isinstance(node, dict):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node
