"""Tests whether one model is better than another, by a paired bootstrap over images.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13: percentile intervals. Images are
drawn with replacement, the same for every model, so that the difficulty of images cancels out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kornia_srgan.errors import UserError, did_you_mean
from kornia_srgan.evaluation.report import Report, Row, decimals_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Verdict = Literal["better", "worse", "unclear", "too few images", ""]
# With fewer, all differences have one sign by chance too often for a level of 5 %: 2 / 2**5 is 6 %.
FEWEST_IMAGES = 6
MARKS = {"better": "▲", "worse": "▼"}
HEADINGS = ("model", "scale", "set", "metric", "images", "mean", "difference", "")


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval."""

    mean: float
    low: float
    high: float

    def text(self, metric: str, *, sign: bool = False) -> str:
        """`28.20 [27.05, 29.41]`; with `sign`, `+0.12 [+0.03, +0.21]`."""
        form = f"{'+' if sign else ''}.{decimals_of(metric)}f"
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


@dataclass(frozen=True)
class Comparison:
    """One metric of one row, compared with the reference row.

    Attributes:
        model: The name of the row.
        scale: Its scale.
        dataset: Its set.
        metric: The metric.
        images: Number of images with a score in both rows.
        mean: The mean of the row.
        difference: The row minus the reference row, image by image; None for the reference row itself.
        verdict: `better` or `worse` if the interval of the difference excludes zero.
    """

    model: str
    scale: int
    dataset: str
    metric: str
    images: int
    mean: Interval
    difference: Interval | None
    verdict: Verdict


@dataclass(frozen=True)
class Statistics:
    """The comparison of all rows of a report with a reference row.

    Attributes:
        against: The reference row.
        confidence: The confidence of the intervals.
        resamples: The number of bootstrap samples.
        seed: The seed of the samples.
        comparisons: One per row and metric.
    """

    against: str
    confidence: float
    resamples: int
    seed: int
    comparisons: tuple[Comparison, ...]

    def mark(self, row: Row, metric: str) -> str:
        """`▲` if the row is better than the reference row, `▼` if it is worse, otherwise empty."""
        return MARKS.get(self.verdict(row, metric), "")

    def verdict(self, row: Row, metric: str) -> Verdict:
        """The verdict for a metric of a row."""
        for found in self.comparisons:
            if _key(found) == (row.model, row.scale, row.dataset) and found.metric == metric:
                return found.verdict
        return ""

    def table(self) -> list[list[str]]:
        """The rows of the table with `HEADINGS`."""
        return [
            [
                c.model,
                f"x{c.scale}",
                c.dataset,
                c.metric,
                str(c.images),
                c.mean.text(c.metric),
                c.difference.text(c.metric, sign=True) if c.difference else "",
                c.verdict,
            ]
            for c in self.comparisons
        ]

    def note(self) -> str:
        """An explanation of the marks and intervals."""
        return (
            f"▲ better, ▼ worse than {self.against}: the {self.confidence:.0%} interval of the paired "
            f"difference leaves out zero (bootstrap over images, {self.resamples} draws, seed {self.seed}; "
            f"sets of fewer than {FEWEST_IMAGES} images have no mark)"
        )

    def content(self) -> dict[str, Any]:
        """The content for JSON."""
        return asdict(self)


def compare_models(
    report: Report, against: str, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Statistics:
    """Compare every row of a report with one row.

    Args:
        report: The result of `evaluate`.
        against: The name of the reference row; rows of other scales only get intervals.
        confidence: The confidence of each interval; at 0.95, one of twenty comparisons is wrong by chance.
        resamples: The number of bootstrap samples.
        seed: The seed of the samples.

    Raises:
        UserError: If there is no such row.
    """
    models = list(dict.fromkeys(row.model for row in report.rows))
    if against not in models:
        hint = did_you_mean(against, models)
        raise UserError(
            f"no row is called '{against}'{hint or ';'} rows: {', '.join(models)}", where="against"
        )
    chosen = {(row.scale, row.dataset): row for row in report.rows if row.model == against}
    found: list[Comparison] = []
    for row in report.rows:
        base = chosen.get((row.scale, row.dataset))
        for metric in report.metrics:
            options = {"confidence": confidence, "resamples": resamples, "seed": seed}
            better_if = 1 if report.higher_is_better.get(metric, True) else -1
            found.append(_compare(row, None if base is row else base, metric, better_if, **options))
    return Statistics(against, confidence, resamples, seed, tuple(found))


def _compare(row: Row, base: Row | None, metric: str, better_if: int, **options: Any) -> Comparison:
    figures = np.array([image.metrics[metric] for image in row.images])
    mine = figures[np.isfinite(figures)]
    mean = bootstrap_mean(mine, **options)
    if base is None:
        return Comparison(row.model, row.scale, row.dataset, metric, len(mine), mean, None, "")
    others = {image.image: image.metrics[metric] for image in base.images}
    pairs = figures - np.array([others.get(image.image, np.nan) for image in row.images])
    pairs = pairs[np.isfinite(pairs)]
    difference = bootstrap_mean(pairs, **options)
    verdict: Verdict = "unclear"
    if len(pairs) < FEWEST_IMAGES:
        verdict = "too few images"
    elif difference.low * difference.high > 0:
        verdict = "better" if difference.mean * better_if > 0 else "worse"
    return Comparison(row.model, row.scale, row.dataset, metric, len(pairs), mean, difference, verdict)


def bootstrap_mean(
    values: ArrayLike, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """The mean of values and its percentile interval.

    Args:
        values: `(N,)`; NaN for missing values.
        confidence: The probability that the interval contains the true mean.
        resamples: How often N values are drawn with replacement.
        seed: The seed; inputs of equal length use the same indices.
    """
    figures = np.asarray(values, dtype=np.float64)
    if not len(figures):
        return Interval(float("nan"), float("nan"), float("nan"))
    drawn = np.random.default_rng(seed).integers(0, len(figures), (resamples, len(figures)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(figures[drawn].mean(axis=1), [tail, 1 - tail])
    return Interval(float(figures.mean()), float(low), float(high))


def _key(comparison: Comparison) -> tuple[str, int, str]:
    return comparison.model, comparison.scale, comparison.dataset


def best_first(values: Sequence[float], higher_is_better: bool) -> list[int]:
    """The indices of the finite values, best first."""
    known = [index for index, value in enumerate(values) if np.isfinite(value)]
    return sorted(known, key=lambda index: values[index], reverse=higher_is_better)
