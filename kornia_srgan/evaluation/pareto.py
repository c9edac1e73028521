"""Plots quality over cost: scores over speed, parameters or operations."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kornia_srgan.benchmarking.machine import machine_in_words
from kornia_srgan.benchmarking.schema import OURS, Case, ForwardDocument
from kornia_srgan.errors import UserError, did_you_mean
from kornia_srgan.evaluation.entrants import BASELINE
from kornia_srgan.evaluation.report import Report, Row, metric_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Cost = Literal["speed", "parameters", "flops"]
COSTS: tuple[Cost, ...] = ("speed", "parameters", "flops")
SUFFIXES = (".png", ".pdf", ".svg")
_LABELS = {
    "speed": "megapixels of output a second",
    "parameters": "parameters, millions",
    "flops": "GFLOP per megapixel of output",
}
_FIRST = 6  # typographic points from a point up to its name
_OFFSETS = (_FIRST, *(offset for up in range(13, 62, 7) for offset in (-up, up)))
_FRONT, _BEHIND, _LINE = "#0072b2", "#999999", "#e69f00"  # told apart by the colour-blind too


@dataclass(frozen=True)
class Point:
    """A model in the plot.

    Attributes:
        name: The name of its row.
        cost: Its cost, in the unit of the axis.
        quality: The mean of the metric.
        spread: Quartiles of the cost, if it was measured.
    """

    name: str
    cost: float
    quality: float
    spread: tuple[float, float] | None = None


def plot_pareto(
    report: Report,
    benchmark: ForwardDocument | None = None,
    *,
    cost: Cost = "speed",
    metric: str | None = None,
    sets: Sequence[str] = (),
    suffix: str = ".png",
) -> tuple[bytes, list[str]]:
    """Plot quality over cost, one panel per set, with a line through the models that no other model beats.

    Args:
        report: The result of `evaluate`.
        benchmark: The result of `kornia-srgan benchmark`, for `speed` and `flops`. Without it, the speed is
            the one measured while scoring.
        cost: The horizontal axis.
        metric: The metric; by default the first one.
        sets: The sets; by default all.
        suffix: `.png`, `.pdf` or `.svg`.

    Returns:
        The picture, and the names of models of unknown cost.

    Raises:
        UserError: If there is no such metric or set, or no cost of any model is known.
    """
    from matplotlib.figure import Figure

    metric = _known(metric or report.metrics[0], report.metrics, "metric")
    chosen = [_known(name, report.datasets, "set") for name in sets] or report.datasets
    columns = min(len(chosen), 3)
    lines = math.ceil(len(chosen) / columns)
    width = 6.4 if columns == 1 else 4.4 * columns
    figure = Figure(figsize=(width, 0.4 + 3.9 * lines), layout="constrained")
    unknown: list[str] = []
    panels: list[tuple[Axes, list[Point]]] = []
    for place, name in enumerate(chosen):
        rows = [row for row in report.rows if row.dataset == name]
        points = [p for row in rows if row.model != BASELINE and (p := _point(row, metric, cost, benchmark))]
        unknown += [row.model for row in rows if row.model not in (BASELINE, *(p.name for p in points))]
        axes = figure.add_subplot(lines, columns, place + 1)
        _panel(axes, points, [row for row in rows if row.model == BASELINE], report, metric, cost, name)
        panels.append((axes, points))
    if not any(points for _, points in panels):
        raise UserError(
            f"no {cost} is known of {', '.join(dict.fromkeys(unknown)) or 'any model'}; "
            "give --benchmark with a file of `kornia-srgan benchmark --json` of the same weights",
            where="--benchmark",
        )
    figure.suptitle(_where(report, benchmark, cost), fontsize=8)
    figure.draw_without_rendering()  # so that every panel is where it stays
    for axes, points in panels:
        _label(axes, points)
    picture = io.BytesIO()
    figure.savefig(picture, format=suffix.lstrip(".").lower(), dpi=150)
    return picture.getvalue(), list(dict.fromkeys(unknown))


def pareto_front(points: Sequence[Point], *, cheap_is_low: bool, higher_is_better: bool) -> list[Point]:
    """The Pareto front of points, the cheapest first."""
    cost_sign, sign = (1 if cheap_is_low else -1), (1 if higher_is_better else -1)
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (cost_sign * p.cost, -sign * p.quality)):
        if not kept or sign * point.quality > sign * kept[-1].quality:
            kept.append(point)
    return kept


def _known(name: str, options: Sequence[str], what: str) -> str:
    if name not in options:
        hint = did_you_mean(name, options)
        raise UserError(
            f"the report has no {what} '{name}'{hint or ';'} it has {', '.join(options)}", where=name
        )
    return name


def _point(row: Row, metric: str, cost: Cost, benchmark: ForwardDocument | None) -> Point | None:
    quality = row.mean[metric]
    if not math.isfinite(quality):
        return None
    case = _case(row, benchmark)
    if cost == "parameters":
        count = row.parameters or (case.parameters if case else None)
        return Point(row.model, count / 1e6, quality) if count else None
    if cost == "flops":
        if case is None or case.flops is None or case.scale is None:
            return None
        pixels = case.batch * case.height * case.width * case.scale**2
        return Point(row.model, case.flops / 1e9 / (pixels / 1e6), quality)
    if benchmark is None:
        return (
            Point(row.model, row.pixels / 1e6 / row.seconds, quality) if row.seconds and row.pixels else None
        )
    run = next((run for run in case.runs if run.engine == OURS), None) if case else None
    speed = benchmark.speed(run) if run else None
    return Point(row.model, speed.median, quality, (speed.q1, speed.q3)) if speed else None


def _case(row: Row, benchmark: ForwardDocument | None) -> Case | None:
    """The first case of the row's weights: by name, or by the stem of their file."""
    cases = benchmark.cases if benchmark else ()
    found = [case for case in cases if case.scale == row.scale]
    exact = [case for case in found if case.subject == row.model]
    return next(iter([*exact, *(case for case in found if Path(case.subject).stem == row.model)]), None)


def _panel(
    axes: Axes,
    points: Sequence[Point],
    baselines: Sequence[Row],
    report: Report,
    metric: str,
    cost: Cost,
    name: str,
) -> None:
    higher = report.higher_is_better.get(metric, True)
    best = pareto_front(points, cheap_is_low=cost != "speed", higher_is_better=higher)
    for point in points:
        colour = _FRONT if point in best else _BEHIND
        if point.spread:
            error = [[max(0.0, point.cost - point.spread[0])], [max(0.0, point.spread[1] - point.cost)]]
            axes.errorbar(point.cost, point.quality, xerr=error, color=colour, capsize=2, linewidth=1)
        axes.plot(point.cost, point.quality, "o", color=colour, markersize=6)
    axes.plot([p.cost for p in best], [p.quality for p in best], "--", color=_FRONT, linewidth=1, zorder=0)
    for row in baselines:
        if math.isfinite(row.mean[metric]):
            axes.axhline(row.mean[metric], color=_LINE, linewidth=1, zorder=0)
            label = f"{row.model} x{row.scale}" if len(baselines) > 1 else row.model
            axes.annotate(label, (0.01, row.mean[metric]), xycoords=("axes fraction", "data"), fontsize=7,
                          xytext=(0, 2), textcoords="offset points", color=_LINE)  # fmt: skip
    axes.set_xscale("log")
    axes.margins(x=0.18, y=0.12)
    if not higher:
        axes.invert_yaxis()
    if cost != "speed":
        axes.invert_xaxis()
    axes.set_xlabel(_LABELS[cost] + (" (fewer to the right)" if cost != "speed" else ""), fontsize=8)
    axes.set_ylabel(metric_title(metric) + (" (better upwards)" if not higher else ""), fontsize=8)
    axes.set_title(name, fontsize=9, parse_math=False)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3, which="both")
    _plain_ticks(axes)


def _plain_ticks(axes: Axes) -> None:
    """0.5, 1, 2, 5 instead of powers of ten, which a narrow range may not even hold."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _label(axes: Axes, points: Sequence[Point]) -> None:
    """Names beside their points, on the side that has room, where they cover neither points nor names."""
    from matplotlib.transforms import Bbox

    box, unit = axes.get_window_extent(), axes.figure.dpi / 72  # pixels of a typographic point
    places = [axes.transData.transform((point.cost, point.quality)) for point in points]
    taken = [Bbox.from_bounds(x - 4 * unit, y - 4 * unit, 8 * unit, 8 * unit) for x, y in places]
    for point, (x, _) in sorted(zip(points, places, strict=True), key=lambda pair: pair[0].quality):
        left = bool(x > box.x0 + 0.6 * box.width)
        name = axes.annotate(
            point.name,
            (point.cost, point.quality),
            xytext=(2 if left else -2, _FIRST),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=7,
            parse_math=False,
        )
        for up in (*_OFFSETS, _FIRST):  # where there is no room at all, at its first place
            name.xyann = (2 if left else -2, up)
            extent = name.get_window_extent()
            if box.y0 < extent.y0 and extent.y1 < box.y1 and not any(map(extent.overlaps, taken)):
                break
        taken.append(name.get_window_extent())


def _where(report: Report, benchmark: ForwardDocument | None, cost: Cost) -> str:
    if cost == "parameters":
        return report.protocol
    if benchmark is None:
        return f"{report.protocol}; speed seen once, while scoring"
    cases = {f"{case.height}x{case.width} {case.dtype}" for case in benchmark.cases}
    inputs = f", LR {next(iter(cases))}" if len(cases) == 1 else ""
    return f"{report.protocol}{inputs}; {machine_in_words(benchmark.machine)}"
