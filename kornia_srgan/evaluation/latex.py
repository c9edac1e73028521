"""Formats a report as a LaTeX table with booktabs."""

from __future__ import annotations

import math
import re

from kornia_srgan.evaluation.report import Report, Row, metric_title
from kornia_srgan.evaluation.statistics import Statistics, best_first

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_SIGNS = {"better": "$^{+}$", "worse": "$^{-}$"}


def to_latex(report: Report, statistics: Statistics | None = None) -> str:
    r"""Format a `tabular`: one row per model, one column per set and metric; best bold, second underlined.

    Needs `\usepackage{booktabs}`. Comments above it say how the scores were computed.

    Args:
        report: The result of `evaluate`.
        statistics: Adds `+` and `-` for significant differences.
    """
    metrics, sets = report.metrics, report.datasets
    scales = list(dict.fromkeys(row.scale for row in report.rows))
    columns = "l" + ("c" if len(scales) > 1 else "") + "c" * (len(sets) * len(metrics))
    lines = [*_comments(report, statistics), rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines += _headings(report, several_scales=len(scales) > 1)
    for number, scale in enumerate(scales):
        if number:
            lines.append(r"\midrule")
        rows = [row for row in report.rows if row.scale == scale]
        lines += _block(report, rows, statistics, show_scale=len(scales) > 1)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return re.sub(r"[\\~^#$%&_{}]", lambda m: _SPECIAL.get(m[0], "\\" + m[0]), text)


def _comments(report: Report, statistics: Statistics | None) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    lines = [f"protocol {report.protocol}, means over the images; {versions}", *report.notes]
    if statistics:
        plain = statistics.note().replace("▲", "+").replace("▼", "-")
        lines.append(plain)
    return [f"% {line}" for line in lines]


def _headings(report: Report, *, several_scales: bool) -> list[str]:
    first = 3 if several_scales else 2
    width = len(report.metrics)
    sets = [rf"\multicolumn{{{width}}}{{c}}{{{escape_latex(name)}}}" for name in report.datasets]
    starts = [first + index * width for index in range(len(sets))]
    rules = "".join(rf"\cmidrule(lr){{{start}-{start + width - 1}}}" for start in starts)
    arrows = {
        name: r"$\uparrow$" if report.higher_is_better.get(name, True) else r"$\downarrow$"
        for name in report.metrics
    }
    names = [f"{escape_latex(metric_title(name))} {arrows[name]}" for name in report.metrics]
    left = ["Model", "Scale"] if several_scales else ["Model"]
    return [
        " & ".join([*([""] * len(left)), *sets]).strip() + r" \\",
        rules,
        " & ".join([*left, *(names * len(sets))]) + r" \\",
        r"\midrule",
    ]


def _block(report: Report, rows: list[Row], statistics: Statistics | None, *, show_scale: bool) -> list[str]:
    """The rows of one scale."""
    models = list(dict.fromkeys(row.model for row in rows))
    by_place = {(row.model, row.dataset): row for row in rows}
    lines = [
        [escape_latex(model), *([rf"$\times${rows[0].scale}"] if show_scale else [])] for model in models
    ]
    for dataset in report.datasets:
        column = [by_place.get((model, dataset)) for model in models]
        for metric in report.metrics:
            values = [row.mean[metric] if row else math.nan for row in column]
            order = best_first(values, report.higher_is_better.get(metric, True))
            for index, (line, row) in enumerate(zip(lines, column, strict=True)):
                line.append(_cell(row, metric, order.index(index) if index in order else None, statistics))
    return [" & ".join(line) + r" \\" for line in lines]


def _cell(row: Row | None, metric: str, place: int | None, statistics: Statistics | None) -> str:
    if row is None or place is None:
        return "--"
    figure = row.format(metric)
    shown = rf"\textbf{{{figure}}}" if place == 0 else rf"\underline{{{figure}}}" if place == 1 else figure
    return shown + (_SIGNS.get(statistics.verdict(row, metric), "") if statistics else "")
