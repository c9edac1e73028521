"""Is one model better than another, or were these images kind to it? Paired bootstrap over images.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13: percentile intervals. Images are
drawn with replacement, the same for every model, so that what all models find hard cancels out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kornia_srgan.errors import UserError, did_you_mean
from kornia_srgan.evaluation.report import Report, Row, decimals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Verdict = Literal["better", "worse", "unclear", "too few images", ""]
# With fewer, all differences have one sign by chance too often for a level of 5 %: 2 / 2**5 is 6 %.
FEWEST_IMAGES = 6
MARKS = {"better": "▲", "worse": "▼"}
HEADINGS = ("model", "scale", "set", "metric", "images", "mean", "difference", "")


@dataclass(frozen=True)
class Interval:
    """A mean and between what it lies."""

    mean: float
    low: float
    high: float

    def text(self, metric: str, *, sign: bool = False) -> str:
        """`28.20 [27.05, 29.41]`; with `sign`, `+0.12 [+0.03, +0.21]`."""
        form = f"{'+' if sign else ''}.{decimals(metric)}f"
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


@dataclass(frozen=True)
class Comparison:
    """One metric of one row, and how it differs from the chosen row's.

    Attributes:
        model: The row's name.
        scale: Its factor.
        dataset: Its set.
        metric: What was measured.
        images: Images that have a figure in both rows.
        mean: Of the row.
        difference: The row minus the chosen one, image by image; None for the chosen row itself.
        verdict: `better` or `worse` where the difference's interval leaves out zero.
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
    """All rows of a report beside one of them.

    Attributes:
        against: The chosen row.
        confidence: Of the intervals.
        resamples: How often images were drawn.
        seed: Of the draws.
        comparisons: One for each row and metric.
    """

    against: str
    confidence: float
    resamples: int
    seed: int
    comparisons: tuple[Comparison, ...]

    def mark(self, row: Row, metric: str) -> str:
        """`▲` where the row is better than the chosen one, `▼` where it is worse, else nothing."""
        return MARKS.get(self.verdict(row, metric), "")

    def verdict(self, row: Row, metric: str) -> Verdict:
        """What came out for a metric of a row."""
        for found in self.comparisons:
            if _key(found) == (row.model, row.scale, row.dataset) and found.metric == metric:
                return found.verdict
        return ""

    def table(self) -> list[list[str]]:
        """Lines below `HEADINGS`."""
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
        """What the marks and intervals are."""
        return (
            f"▲ better, ▼ worse than {self.against}: the {self.confidence:.0%} interval of the paired "
            f"difference leaves out zero (bootstrap over images, {self.resamples} draws, seed {self.seed}; "
            f"sets of fewer than {FEWEST_IMAGES} images have no mark)"
        )

    def content(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare(
    report: Report, against: str, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Statistics:
    """Hold every row of a report against one.

    Args:
        report: What `evaluate` found.
        against: The name of the row to compare with; rows of another scale get intervals only.
        confidence: Of the intervals, each by itself: with twenty comparisons one in twenty errs.
        resamples: How often images are drawn.
        seed: Of the draws.

    Raises:
        UserError: If there is no such row.
    """
    models = list(dict.fromkeys(row.model for row in report.rows))
    if against not in models:
        hint = did_you_mean(against, models)
        raise UserError(f"no row is called '{against}'{hint or ';'} rows: {', '.join(models)}")
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
    mean = bootstrap(mine, **options)
    if base is None:
        return Comparison(row.model, row.scale, row.dataset, metric, len(mine), mean, None, "")
    others = {image.image: image.metrics[metric] for image in base.images}
    pairs = figures - np.array([others.get(image.image, np.nan) for image in row.images])
    pairs = pairs[np.isfinite(pairs)]
    difference = bootstrap(pairs, **options)
    verdict: Verdict = "unclear"
    if len(pairs) < FEWEST_IMAGES:
        verdict = "too few images"
    elif difference.low * difference.high > 0:
        verdict = "better" if difference.mean * better_if > 0 else "worse"
    return Comparison(row.model, row.scale, row.dataset, metric, len(pairs), mean, difference, verdict)


def bootstrap(
    values: ArrayLike, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """The mean of values and its percentile interval.

    Args:
        values: `(N,)`; NaN where there are none.
        confidence: How often such an interval holds the true mean.
        resamples: How often N of the values are drawn, with replacement.
        seed: Of the draws; two sets of values of one length are drawn alike.
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
    """Places of the finite values, the best first."""
    known = [index for index, value in enumerate(values) if np.isfinite(value)]
    return sorted(known, key=lambda index: values[index], reverse=higher_is_better)
