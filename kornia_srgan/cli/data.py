"""`kornia-srgan data`: check images before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kornia_srgan.cli.options import (
    HrOption,
    LrOption,
    PairScaleOption,
    ThreadsOption,
    as_pairs,
    check_writable,
)
from kornia_srgan.errors import UserError


def command(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR...", help="Folders of photographs, or tar archives.")
    ] = None,
    hr: HrOption = None,
    lr: LrOption = None,
    scale: PairScaleOption = 4,
    crop: Annotated[int, typer.Option(min=1, help="Side of an HR crop; smaller images are reported.")] = 96,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Report JPEGs of lower quality.")] = 75,
    shift: Annotated[
        float, typer.Option(min=0, help="Report pairs that are shifted by this many HR pixels or more.")
    ] = 1.0,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE.png", help="Write a contact sheet.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE.json", help="Write all results to this file.")
    ] = None,
    fix_list: Annotated[
        Path | None,
        typer.Option(
            "--fix-list", metavar="FILE.txt", help="Write the paths of files with problems, one per line."
        ),
    ] = None,
    threads: ThreadsOption = None,
) -> None:
    """Check images before training.

    Reports sizes and formats, images that cannot be decoded, duplicates, and images that are too small,
    enlarged or strongly compressed; of pairs also missing partners, wrong sizes and shifts. No file is
    changed.
    """
    import json

    from rich.progress import Progress

    from kornia_srgan.atomic import write_text
    from kornia_srgan.cli.options import console
    from kornia_srgan.survey.findings import describe_survey
    from kornia_srgan.survey.look import Limits, survey_images
    from kornia_srgan.survey.sheet import write_sheet

    pairs = as_pairs(hr, lr)
    if not (folders or pairs):
        raise UserError(
            "nothing to look at: give a folder of photographs, or --hr DIR --lr DIR for pairs", where="DIR"
        )
    for path in filter(None, (sheet, json_file, fix_list)):
        check_writable(path)
    shown = console(stderr=True)
    with Progress(console=shown, transient=True, disable=not shown.is_terminal) as progress:
        task = progress.add_task("looking", total=None)
        found = survey_images(
            folders or [],
            pairs,
            limits=Limits(crop=crop, scale=scale, quality=quality, shift=shift),
            threads=threads,
            on_image=lambda done, total: progress.update(task, completed=done, total=total),
        )
    typer.echo(describe_survey(found))
    if json_file:
        write_text(json_file, json.dumps(found.as_json(), indent=1) + "\n")
        typer.echo(f"all of it: {json_file}")
    if fix_list:
        write_text(fix_list, "".join(f"{path}\n" for path in found.to_fix()))
        typer.echo(f"{len(found.to_fix())} files with a problem: {fix_list}")
    if sheet:
        typer.echo(f"{write_sheet(found, sheet)} images: {sheet}")
