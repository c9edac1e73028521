"""`kornia-srgan evaluate`: score weights by a named protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kornia_srgan.cli.evaluate_output import Outputs
from kornia_srgan.cli.options import (
    DeviceOption,
    JsonOption,
    MarkdownOption,
    PluginOption,
    ThreadsOption,
    check_writable,
    console,
)

BASELINE = "bicubic"

if TYPE_CHECKING:
    import torch

    from kornia_srgan.contracts import Generator
    from kornia_srgan.data.pixels import PixelFormat
    from kornia_srgan.evaluation.pictures import CropSheets
    from kornia_srgan.evaluation.report import Report


def command(
    *,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR|NAME",
            help="HR images, HR and LR folders, a folder of such sets, or a known set (Set5, Set14, BSD100, "
            "Urban100, Manga109, DIV2K); repeatable.",
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Packaged name, weight file, checkpoint of another project, or `bicubic`; repeatable "
            "[default: srresnet-x4]"
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="Images enlarged by another tool; repeatable."),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="ledig-y, basicsr-rgb, ntire-y, realsr, photo, bands [default: ledig-y, or bands]"),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:ARG=VALUE,...]",
            help="psnr, ssim, niqe, lpips, dists, sam, ergas, ntire, or any metric of pyiqa; repeatable "
            "[default: psnr, ssim, niqe; for other channels than RGB psnr, ssim, sam, ergas]",
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            min=2, help="Scale of --images, and of the packaged weights if --weights is missing [default: 4]"
        ),
    ] = None,
    bands: Annotated[
        str | None,
        typer.Option(
            metavar="2,1,0",
            help="With other channels than RGB: the bands, from 0, that metrics of RGB and --crops get.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE.json", help="Read the results of an earlier --json instead of scoring."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="ROW", help="Mark significant differences to this row (paired bootstrap)."),
    ] = None,
    json_file: JsonOption = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write the scores of every image to this file.")
    ] = None,
    latex: Annotated[Path | None, typer.Option(help="Write the table as LaTeX (booktabs).")] = None,
    plot: Annotated[Path | None, typer.Option(help="Plot quality over cost as .png, .pdf or .svg.")] = None,
    plot_x: Annotated[str, typer.Option(help="Cost in the plot: speed, parameters or flops.")] = "speed",
    plot_metric: Annotated[
        str | None, typer.Option(help="Metric in the plot [default: the first one]")
    ] = None,
    plot_set: Annotated[
        list[str] | None, typer.Option(help="Set in the plot; repeatable [default: all]")
    ] = None,
    benchmark: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Speeds for the plot, from `kornia-srgan benchmark --json`."),
    ] = None,
    crops: Annotated[
        Path | None,
        typer.Option(help="Write a contact sheet of each image to this folder: the same crop by all models."),
    ] = None,
    crop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SET/]IMAGE=LEFT,TOP[,SIDE]", help="Crop for --crops, in HR pixels; repeatable."
        ),
    ] = None,
    crops_by: Annotated[
        str | None,
        typer.Option(help="How crops are chosen: detail or difference (between models) [default: detail]"),
    ] = None,
    crops_best: Annotated[
        int | None, typer.Option(min=1, help="Show only the N images whose crops differ most.")
    ] = None,
    crop_size: Annotated[
        int | None, typer.Option(min=8, help="Side of the crop in HR pixels [default: 96]")
    ] = None,
    markdown: MarkdownOption = False,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Also print the scores of every image.")
    ] = False,
    threads: ThreadsOption = None,
    plugin: PluginOption = None,
) -> None:
    """Score weights by a named protocol.

    Bicubic is always scored too.
    """
    from kornia_srgan.errors import UserError
    from kornia_srgan.evaluation.evaluate import evaluate
    from kornia_srgan.evaluation.protocols import get_protocol
    from kornia_srgan.optimize.device import pick_device
    from kornia_srgan.registry.plugins import load_plugins

    outputs = Outputs(
        json_file, csv_file, latex, plot, plot_x, plot_metric, plot_set or [], benchmark, against, markdown,
        per_image,
    )  # fmt: skip
    outputs.check()
    speeds = outputs.read_benchmark()
    if from_file:
        scoring = {"--data": data, "--weights": weights, "--images": images, "--protocol": protocol,
                   "--metric": metric, "--scale": scale, "--bands": bands, "--crops": crops, "--crop": crop,
                   "--crops-by": crops_by, "--crops-best": crops_best, "--crop-size": crop_size}  # fmt: skip
        if given := [name for name, value in scoring.items() if value]:
            raise UserError(f"--from shows what was scored; leave out {', '.join(given)}", where=given[0])
        outputs.write(_read(from_file), speeds)
        return
    if not data:
        raise UserError(
            "nothing to score: give --data DIR, or --from FILE.json for figures at hand", where="--data"
        )
    if protocol:
        get_protocol(protocol)
    shown = _shown_bands(bands)
    sheets = _sheets(crops, crop or [], crops_by, crops_best, crop_size)
    load_plugins(plugin or ())
    where = pick_device(device)
    folders = _folders(images or [])
    models, pixels = _load(_sources(weights, scale, alone=not folders), where)
    usual = _usual_metrics(pixels, shown, sheets)
    if against and against not in (BASELINE, *models, *folders):
        raise UserError.at(f"--against {against}", f"rows are {', '.join((BASELINE, *models, *folders))}")
    with console(stderr=True).status("evaluating") as status:
        report = evaluate(
            models,
            data,
            images=folders,
            protocol=protocol,
            metrics=metric or usual,
            scale=scale,
            pixels=pixels,
            shown=shown,
            device=where,
            progress=lambda model, dataset: status.update(f"{model}: {dataset}"),
            on_result=sheets.add if sheets else None,
        )
    outputs.write(report, speeds)
    if sheets:
        sheets.write()


def _read(path: Path) -> Report:
    """Read a file written by `--json`.

    Raises:
        UserError: If the file is missing or has other content.
    """
    from kornia_srgan.errors import UserError
    from kornia_srgan.evaluation.report import Report

    try:
        return Report.from_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"--from {path}: {error.strerror or error}", where=path) from None
    except ValueError as error:
        raise UserError(
            f"--from {path}: not what `kornia-srgan evaluate --json` writes ({error})", where=path
        ) from None


def _sheets(
    folder: Path | None, windows: list[str], choose: str | None, best: int | None, size: int | None
) -> CropSheets | None:
    from kornia_srgan.errors import UserError
    from kornia_srgan.evaluation.pictures import CropSheets
    from kornia_srgan.evaluation.windows import parse_window

    if folder is None:
        if windows or choose or best or size:
            raise UserError(
                "--crop, --crop-size, --crops-by and --crops-best are for --crops; give --crops DIR",
                where="--crops",
            )
        return None
    if choose not in (None, "detail", "difference"):
        raise UserError(f"--crops-by '{choose}'; known: detail, difference", where="--crops-by")
    check_writable(folder / "sheet.png")
    side = size or CropSheets.size
    by_hand = dict(parse_window(text, side) for text in windows)
    return CropSheets(
        folder,
        size=side,
        choose="difference" if choose == "difference" else "detail",
        windows=by_hand,
        best=best,
    )


def _folders(named: list[str]) -> dict[str, Path]:
    """`NAME=DIR` of every `--images`."""
    from kornia_srgan.errors import UserError

    found: dict[str, Path] = {}
    for text in named:
        name, equals, folder = text.partition("=")
        if not (equals and name.strip() and folder.strip()):
            raise UserError.at(f"--images {text}", "expected NAME=DIR, such as SwinIR=results/swinir")
        if name.strip() in found:
            raise UserError.at(f"--images {text}", f"'{name.strip()}' was given twice")
        found[name.strip()] = Path(folder.strip()).expanduser()
    return found


def _sources(weights: list[str] | None, scale: int | None, *, alone: bool) -> list[str]:
    """The weights of the command line; if there is nothing else to score, the packaged ones of the scale."""
    from kornia_srgan.weights.files import read_spec
    from kornia_srgan.weights.locate import CLEAN_WEIGHTS, locate_weights, zoo_names

    if weights:
        return [source for source in weights if source != BASELINE]
    if not alone:
        return []
    if scale in (None, read_spec(locate_weights(CLEAN_WEIGHTS)).scale):
        return [CLEAN_WEIGHTS]
    found = [name for name in zoo_names() if read_spec(locate_weights(name)).scale == scale]
    if not found:
        typer.echo(f"note: no weights of x{scale} are packaged; bicubic is scored alone", err=True)
    return found


def _shown_bands(text: str | None) -> tuple[int, ...] | None:
    """The bands of `--bands`."""
    from kornia_srgan.errors import UserError

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise UserError.at(f"--bands {text}", "expected three numbers from 0 on, such as 2,1,0")
    return tuple(map(int, parts))


def _usual_metrics(
    pixels: PixelFormat, shown: tuple[int, ...] | None, sheets: CropSheets | None
) -> tuple[str, ...]:
    """The metrics without `--metric`.

    Raises:
        UserError: If `--bands` or `--crops` does not fit the weights.
    """
    from kornia_srgan.data.pixels import RGB
    from kornia_srgan.errors import UserError
    from kornia_srgan.evaluation.protocols import usual_metrics

    if pixels == RGB and shown is not None:
        raise UserError.at("--bands", "these weights are for RGB; it is for weights of other channels")
    if pixels != RGB and pixels.channels > 1 and shown is None and sheets is not None:
        raise UserError.at(
            "--crops", "the weights are not for RGB; choose the bands to show with --bands 2,1,0"
        )
    usual = usual_metrics(pixels)
    return (*usual, "niqe") if pixels == RGB else usual


def _load(sources: list[str], device: torch.device) -> tuple[dict[str, Generator], PixelFormat]:
    """The generators by unique short names, and what they are for.

    Raises:
        UserError: If some are for other channels or another range than others.
    """
    from kornia_srgan.assembly import load_generator
    from kornia_srgan.data.pixels import RGB, PixelFormat
    from kornia_srgan.errors import UserError

    stems = [Path(source).stem for source in sources]
    names = [stem if stems.count(stem) == 1 else source for stem, source in zip(stems, sources, strict=True)]
    models: dict[str, Any] = {}
    found: dict[PixelFormat, str] = {}
    for name, source in zip(names, sources, strict=True):
        loaded = load_generator(source, device=device)
        stated = loaded.spec.data_range
        kind = PixelFormat(loaded.spec.channels, (stated[0], stated[1]) if stated else None)
        found.setdefault(kind, name)
        models[name] = loaded.module
    if len(found) > 1:
        raise UserError(
            f"{' and '.join(found.values())} are for images of other channels or ranges; evaluate them apart",
            where="--weights",
        )
    return models, next(iter(found), RGB)
