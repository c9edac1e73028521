"""Formats a forward document as a table for the terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from kornia_srgan.benchmarking.machine import machine_in_words
from kornia_srgan.benchmarking.schema import OURS, ForwardDocument, Run
from kornia_srgan.markdown import markdown_table

HEADINGS = (
    "case",
    "engine",
    "MP/s [quartiles]",
    "peak MiB",
    "GFLOP",
    "of matmul",
    "effective",
    "ours / it",
    "differs by",
)


def table_rows(document: ForwardDocument) -> Iterator[tuple[str, ...]]:
    """A line for each run; the label of a case stands before its first."""
    for case in document.cases:
        for index, run in enumerate(case.runs):
            yield (case.label if index == 0 else "", *_cells(document, run))


def _cells(document: ForwardDocument, run: Run) -> tuple[str, ...]:
    engine = f"{run.engine} {run.version}".strip()
    if run.computed_by not in ("", "torch"):
        engine += f" ({run.computed_by})"
    speed = document.speed(run)
    if speed is None:
        return engine, f"failed: {run.error}", "", "", "", "", "", ""
    return (
        engine,
        f"{_figure(speed.median)} [{_figure(speed.q1)}, {_figure(speed.q3)}]",
        "" if run.peak_memory_mib is None else f"{run.peak_memory_mib:.0f}",
        "" if run.flops is None else _figure(run.flops / 1e9),
        "" if run.matmul_fraction is None else f"{run.matmul_fraction:.2f}",
        "" if run.effective_fraction is None else f"{run.effective_fraction:.2f}",
        "" if run.ratio is None else f"{run.ratio:.2f}x",
        "" if run.max_difference is None else f"{run.max_difference:.1e}",
    )


def _figure(value: float) -> str:
    """Three significant digits, without an exponent where people would not write one."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def table_notes(document: ForwardDocument) -> list[str]:
    """What the table's figures are, and where they were taken."""
    repeats = document.settings.get("repeats")
    rates = ", ".join(f"{k} {v / 1e9:.0f} GFLOP/s" for k, v in document.matmul_flops_per_second.items())
    lines = [
        f"MP/s: megapixels of output a second, median of {repeats}; peak MiB: {document.memory}",
        "of matmul: FLOPs done a second over a matrix product's; effective: with the plain module's FLOPs",
        f"matrix product on {document.machine['device']}: {rates}" if rates else "",
        f"{machine_in_words(document.machine)}; every engine uses {document.machine['threads']} CPU threads",
    ]
    against = any(run.engine != OURS for case in document.cases for run in case.runs)
    if against:
        lines.insert(
            1, f"ours / it: {OURS}'s speed over that engine's; differs by: largest, from {OURS}'s image"
        )
    return [line for line in lines if line]


def to_markdown(document: ForwardDocument) -> str:
    """The table and its notes as Markdown."""
    return markdown_table(HEADINGS, table_rows(document), table_notes(document))
