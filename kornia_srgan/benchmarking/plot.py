"""Plots a forward document: a bar for each run, with its quartiles."""

from __future__ import annotations

import io

from kornia_srgan.benchmarking.machine import machine_in_words
from kornia_srgan.benchmarking.schema import ForwardDocument

_COLOURS = ("#0072b2", "#999999", "#e69f00", "#009e73", "#cc79a7")  # told apart by the colour-blind too


def plot_png(document: ForwardDocument) -> bytes:
    """A PNG; failed runs are named in it."""
    from matplotlib.figure import Figure

    engines = list(dict.fromkeys(run.engine for case in document.cases for run in case.runs))
    lines = sum(len(case.runs) for case in document.cases) + len(document.cases)
    figure = Figure(figsize=(9, 1.3 + 0.28 * lines), layout="constrained")
    axes = figure.add_subplot()
    place, ticks = 0.0, []
    for case in document.cases:
        first = place
        for run in case.runs:
            speed = document.speed(run)
            if speed is None:
                axes.text(0, place, f" {run.engine}: failed", va="center", fontsize=8)
            else:
                spread = [[max(0, speed.median - speed.q1)], [max(0, speed.q3 - speed.median)]]
                colour = _COLOURS[engines.index(run.engine) % len(_COLOURS)]
                axes.barh(place, speed.median, xerr=spread, color=colour, capsize=2)
            place += 1
        ticks.append(((first + place - 1) / 2, case.label))
        place += 0.6
    for index, engine in enumerate(engines):
        axes.barh(0, 0, color=_COLOURS[index % len(_COLOURS)], label=engine)
    axes.set_yticks(
        [position for position, _ in ticks], [label for _, label in ticks], fontsize=8, parse_math=False
    )
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("megapixels of output a second: median, and quartiles")
    axes.set_title(machine_in_words(document.machine), fontsize=8)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()
