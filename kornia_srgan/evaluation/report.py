"""What an evaluation found, and how it is written down: JSON, CSV, Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = 1
METRIC_FORMATS = {"psnr": ("PSNR", ".2f"), "ssim": ("SSIM", ".4f"), "niqe": ("NIQE", ".2f")}


@dataclass(frozen=True)
class ImageScore:
    """The figures of one image."""

    image: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Row:
    """One model on one set.

    Attributes:
        model: What was evaluated: a weight's name, or `bicubic`.
        dataset: The set's name.
        scale: The upscaling factor.
        lr_source: `files`, or the resizer that made the LR images.
        images: Every image's figures.
        seconds: Time spent in the model, over all images; 0 for images that were made elsewhere.
        parameters: Numbers in the model, where it has any.
        pixels: Of the enlarged images together.
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
        """Each metric's mean over the images; those where it cannot be computed (NaN) are left out."""
        return {
            name: _mean([image.metrics[name] for image in self.images]) for name in self.images[0].metrics
        }


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


@dataclass(frozen=True)
class SetCheck:
    """What is known of a published set's HR files: how many, their digest, whose copy they are."""

    images: int
    digest: str
    copy: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All rows of an evaluation.

    Attributes:
        protocol: Name and version of the protocol.
        rows: One for each model and set.
        versions: What the figures were made with.
        higher_is_better: The direction of each metric.
        checks: What was found out about sets that are known by name.
        notes: What a reader of the figures must know.
    """

    protocol: str
    rows: tuple[Row, ...]
    versions: dict[str, str] = field(default_factory=dict)
    higher_is_better: dict[str, bool] = field(default_factory=dict)
    checks: dict[str, SetCheck] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def datasets(self) -> list[str]:
        """The sets' names, in order."""
        return list(dict.fromkeys(row.dataset for row in self.rows))

    @property
    def metrics(self) -> list[str]:
        """The metrics' names, in order."""
        return list(self.rows[0].mean)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Headings and rows: one row a model and scale, one column a set."""
        headings = ["model", "scale", *(f"{d} {self.metric_heading}" for d in self.datasets)]
        by_model: dict[tuple[str, int], dict[str, Row]] = {}
        for row in self.rows:
            by_model.setdefault((row.model, row.scale), {})[row.dataset] = row
        lines = [
            [model, f"x{scale}", *(self._cell(found.get(d)) for d in self.datasets)]
            for (model, scale), found in by_model.items()
        ]
        return headings, lines

    def to_markdown(self) -> str:
        """The means as a Markdown table."""
        headings, lines = self.table()
        rule = ["---"] * len(headings)
        return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, rule, *lines)) + "\n"

    def to_csv(self) -> str:
        """One line for each model, set and image, and the mean of each."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["protocol", "model", "scale", "dataset", "image", *self.metrics])
        for row in self.rows:
            for name, metrics in [*((i.image, i.metrics) for i in row.images), ("mean", row.mean)]:
                figures = [f"{metrics[m]:.6f}" for m in self.metrics]
                writer.writerow([self.protocol, row.model, row.scale, row.dataset, name, *figures])
        return out.getvalue()

    def to_json(self) -> str:
        """Everything, for programs."""
        content = {"schema": SCHEMA} | asdict(self)
        for row, written in zip(self.rows, content["rows"], strict=True):
            written["mean"] = row.mean
        return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """What `to_json` wrote. Infinity and NaN, which JSON lacks, come back as NaN.

        Raises:
            ValueError: If it is something else.
        """
        content = json.loads(text)
        try:
            if content["schema"] != SCHEMA:
                raise ValueError(f"schema {content['schema']}, expected {SCHEMA}")
            rows = tuple(_row(row) for row in content["rows"])
            if not rows:
                raise ValueError("no rows")
            checks = {name: SetCheck(**check) for name, check in content.get("checks", {}).items()}
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
        return " / ".join(METRIC_FORMATS.get(m, (m.upper(), ""))[0] for m in self.metrics)

    def _cell(self, row: Row | None) -> str:
        return "" if row is None else format_metrics(row.mean)


def format_metrics(metrics: dict[str, float]) -> str:
    """`28.43 / 0.8111`; `-` for what cannot be computed."""
    formats = {name: METRIC_FORMATS.get(name, ("", ".4f"))[1] for name in metrics}
    return " / ".join("-" if math.isnan(v) else f"{v:{formats[name]}}" for name, v in metrics.items())


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
