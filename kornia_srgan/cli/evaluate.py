"""`kornia-srgan evaluate`: figures that can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kornia_srgan.atomic import write_text
from kornia_srgan.cli.options import PluginOption, check_writable, console, print_table

DEFAULT_METRICS = ("psnr", "ssim", "niqe")

if TYPE_CHECKING:
    import torch

    from kornia_srgan.contracts import Generator
    from kornia_srgan.evaluation.report import Report


def command(
    *,
    data: Annotated[
        list[str],
        typer.Option(
            metavar="DIR|NAME",
            help="HR images, HR and LR folders, a folder of such sets, or the name of a known set at hand "
            "(Set5, Set14, BSD100, Urban100, Manga109, DIV2K); several times.",
        ),
    ],
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Packaged name, weight file or another project's checkpoint; several times; `bicubic` for "
            "none [default: the default weights]"
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="Images that another tool enlarged, as a row; several times."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="How to score: ledig-y, basicsr-rgb, ntire-y, realsr, photo.")
    ] = "ledig-y",
    metric: Annotated[
        list[str] | None,
        typer.Option(help="psnr, ssim, niqe, lpips, dists; several times [default: psnr, ssim, niqe]"),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            min=2, help="Of --images, and of the packaged weights where none are named [default: 4]"
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where models run: auto, cpu, cuda, cuda:1, mps.")] = "auto",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write each image's figures to it.")] = None,
    crops: Annotated[
        Path | None, typer.Option("--crops", help="Write a PNG for each image here: all models side by side.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    per_image: Annotated[bool, typer.Option("--per-image", help="Print each image's figures too.")] = False,
    plugin: PluginOption = None,
) -> None:
    """Score weights on images, beside bicubic, by a named protocol."""
    from kornia_srgan.evaluation.evaluate import evaluate
    from kornia_srgan.evaluation.pictures import CropSheets
    from kornia_srgan.evaluation.protocols import get_protocol
    from kornia_srgan.optimize.device import pick_device
    from kornia_srgan.registry.plugins import load_plugins

    get_protocol(protocol)
    for report_file in (json_file, csv_file):
        if report_file:
            check_writable(report_file)
    load_plugins(plugin or ())
    where = pick_device(device)
    folders = _folders(images or [])
    models = _load(_sources(weights, scale, alone=not folders), where)
    sheets = CropSheets(crops) if crops else None
    with console(stderr=True).status("evaluating") as status:
        report = evaluate(
            models,
            data,
            images=folders,
            protocol=protocol,
            metrics=metric or DEFAULT_METRICS,
            scale=scale,
            device=where,
            progress=lambda model, dataset: status.update(f"{model}: {dataset}"),
            on_result=sheets.add if sheets else None,
        )
    if sheets:
        sheets.write()
    if json_file:
        write_text(json_file, report.to_json())
    if csv_file:
        write_text(csv_file, report.to_csv())
    for note in report.notes:
        typer.echo(f"note: {note}", err=True)
    if per_image:
        _print_images(report)
    if markdown:
        typer.echo(report.to_markdown(), nl=False)
    else:
        _print_means(report)


def _folders(named: list[str]) -> dict[str, Path]:
    """`NAME=DIR` of every `--images`."""
    from kornia_srgan.errors import UserError

    found: dict[str, Path] = {}
    for text in named:
        name, equals, folder = text.partition("=")
        if not (equals and name.strip() and folder.strip()):
            raise UserError(f"--images {text}: expected NAME=DIR, such as SwinIR=results/swinir")
        if name.strip() in found:
            raise UserError(f"--images {text}: '{name.strip()}' was given twice")
        found[name.strip()] = Path(folder.strip()).expanduser()
    return found


def _sources(weights: list[str] | None, scale: int | None, *, alone: bool) -> list[str]:
    """The weights that were asked for; where nothing is to be scored, the packaged ones of the scale."""
    from kornia_srgan.evaluation.entrants import BASELINE
    from kornia_srgan.weights.files import read_spec
    from kornia_srgan.weights.locate import DEFAULT_WEIGHTS, locate, zoo_names

    if weights:
        return [source for source in weights if source != BASELINE]
    if not alone:
        return []
    if scale in (None, read_spec(locate(DEFAULT_WEIGHTS)).scale):
        return [DEFAULT_WEIGHTS]
    found = [name for name in zoo_names() if read_spec(locate(name)).scale == scale]
    if not found:
        typer.echo(f"note: no weights of x{scale} are packaged; bicubic is scored alone", err=True)
    return found


def _load(sources: list[str], device: torch.device) -> dict[str, Generator]:
    """Generators by a short name that is unique among them."""
    from kornia_srgan.assembly import load_generator

    stems = [Path(source).stem for source in sources]
    names = [stem if stems.count(stem) == 1 else source for stem, source in zip(stems, sources, strict=True)]
    return {
        name: load_generator(source, device=device).module  # pyright: ignore[reportReturnType]
        for name, source in zip(names, sources, strict=True)
    }


def _print_means(report: Report) -> None:
    headings, lines = report.table()
    lr_sources = ", ".join(dict.fromkeys(row.lr_source for row in report.rows))
    print_table(headings, lines, [f"protocol {report.protocol}, mean over the images; LR: {lr_sources}"])


def _print_images(report: Report) -> None:
    from kornia_srgan.evaluation.report import format_metrics

    lines = [
        [row.model, f"x{row.scale}", row.dataset, image.image, format_metrics(image.metrics)]
        for row in report.rows
        for image in row.images
    ]
    print_table(["model", "scale", "set", "image", report.metric_heading], lines)
