"""What `kornia-srgan evaluate` prints and writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kornia_srgan.atomic import write_bytes, write_text
from kornia_srgan.cli.options import check_writable, print_table

if TYPE_CHECKING:
    from kornia_srgan.benchmarking.schema import ForwardDocument
    from kornia_srgan.evaluation.report import Report
    from kornia_srgan.evaluation.statistics import Statistics


@dataclass(frozen=True)
class Outputs:
    """Where a report goes.

    Attributes:
        json: File for everything.
        csv: File for each image's figures.
        latex: File for the table.
        plot: Picture of quality over cost.
        plot_x: The cost.
        plot_metric: The metric; None for the first.
        plot_sets: The sets; none for all.
        benchmark: File of `kornia-srgan benchmark --json`, for the plot.
        against: The row that others are compared with.
        markdown: Whether tables are printed as Markdown.
        per_image: Whether each image's figures are printed.
    """

    json: Path | None = None
    csv: Path | None = None
    latex: Path | None = None
    plot: Path | None = None
    plot_x: str = "speed"
    plot_metric: str | None = None
    plot_sets: list[str] = field(default_factory=list)
    benchmark: Path | None = None
    against: str | None = None
    markdown: bool = False
    per_image: bool = False

    def check(self) -> None:
        """Find out before the work whether all of it can be written.

        Raises:
            UserError: If not.
        """
        from kornia_srgan.errors import UserError, did_you_mean

        for file in (self.json, self.csv, self.latex, self.plot):
            if file:
                check_writable(file)
        if not self.plot:
            if self.benchmark or self.plot_metric or self.plot_sets or self.plot_x != "speed":
                raise UserError(
                    "--benchmark and --plot-... are for --plot; give --plot FILE.png too", where="--plot"
                )
            return
        from kornia_srgan.evaluation.pareto import COSTS, SUFFIXES

        if self.plot.suffix.lower() not in SUFFIXES:
            raise UserError(
                f"--plot {self.plot}: name it {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}", where=self.plot
            )
        if self.plot_x not in COSTS:
            hint = did_you_mean(self.plot_x, COSTS)
            raise UserError(
                f"--plot-x '{self.plot_x}'{hint or ';'} known: {', '.join(COSTS)}", where="--plot-x"
            )

    def read_benchmark(self) -> ForwardDocument | None:
        """The measured speeds.

        Raises:
            UserError: If the file is missing or something else.
        """
        from kornia_srgan.benchmarking.schema import read_forward

        return read_forward(self.benchmark) if self.benchmark else None

    def write(self, report: Report, benchmark: ForwardDocument | None) -> None:
        """Print and write a report."""
        from kornia_srgan.evaluation.latex import to_latex
        from kornia_srgan.evaluation.statistics import compare_models

        statistics = compare_models(report, self.against) if self.against else None
        self._print(report, statistics)  # first: a full disk must not take the figures away
        if self.json:
            write_text(self.json, report.to_json(statistics))
        if self.csv:
            write_text(self.csv, report.to_csv())
        if self.latex:
            write_text(self.latex, to_latex(report, statistics))
        if self.plot:
            self._plot(self.plot, report, benchmark)

    def _plot(self, path: Path, report: Report, benchmark: ForwardDocument | None) -> None:
        from kornia_srgan.evaluation.pareto import COSTS, Cost, plot_pareto

        cost: Cost = next(known for known in COSTS if self.plot_x == known)
        picture, unknown = plot_pareto(
            report,
            benchmark,
            cost=cost,
            metric=self.plot_metric,
            sets=self.plot_sets,
            suffix=path.suffix,
        )
        write_bytes(path, picture)
        if unknown:
            typer.echo(
                f"note: not in {path}, because {self.plot_x} is not known for: {', '.join(unknown)}", err=True
            )

    def _print(self, report: Report, statistics: Statistics | None) -> None:
        for note in report.notes:
            typer.echo(f"note: {note}", err=True)
        if self.per_image:
            _print_images(report)
        if self.markdown:
            typer.echo(report.to_markdown(statistics), nl=False)
        else:
            _print_means(report, statistics)
        if statistics:
            _print_statistics(statistics, markdown=self.markdown)


def _print_means(report: Report, statistics: Statistics | None) -> None:
    headings, lines = report.table(statistics)
    lr_sources = ", ".join(dict.fromkeys(row.lr_source for row in report.rows))
    print_table(headings, lines, [f"protocol {report.protocol}, mean over the images; LR: {lr_sources}"])


def _print_statistics(statistics: Statistics, *, markdown: bool) -> None:
    from kornia_srgan.evaluation.statistics import HEADINGS
    from kornia_srgan.markdown import markdown_table

    if markdown:
        typer.echo("\n" + markdown_table(HEADINGS, statistics.table()) + f"\n{statistics.note()}")
    else:
        print_table(HEADINGS, statistics.table(), [statistics.note()])


def _print_images(report: Report) -> None:
    from kornia_srgan.evaluation.report import format_metrics

    lines = [
        [row.model, f"x{row.scale}", row.dataset, image.image, format_metrics(image.metrics)]
        for row in report.rows
        for image in row.images
    ]
    print_table(["model", "scale", "set", "image", report.metric_heading], lines)
