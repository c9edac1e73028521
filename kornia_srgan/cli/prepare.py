"""`kornia-srgan prepare`: cut photographs into pairs of HR and LR tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kornia_srgan.cli.options import PairScaleOption, ThreadsOption


def command(
    folders: Annotated[list[Path], typer.Argument(help="Folders of photographs.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for HR/ and LR_x<scale>/.", show_default=False)
    ],
    crop: Annotated[int, typer.Option(min=1, help="Side of an HR tile in pixels.")] = 96,
    scale: PairScaleOption = 4,
    resizer: Annotated[
        str, typer.Option(help="Resizer that makes LR from HR; see `kornia-srgan list resizer`.")
    ] = "matlab_bicubic",
    stride: Annotated[
        int | None,
        typer.Option(min=1, help="Distance between tiles in HR pixels [default: --crop]", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace tiles of an earlier run.")] = False,
    threads: ThreadsOption = None,
) -> None:
    """Cut photographs into HR and LR tiles, for tools that need files.

    Training with `kornia-srgan train` needs none of this: it cuts and shrinks on the device.
    """
    from rich.console import Console
    from rich.progress import Progress

    from kornia_srgan.data.images import find_images
    from kornia_srgan.data.tiles import TileFolders, write_tiles
    from kornia_srgan.errors import DataError
    from kornia_srgan.photos.outputs import mark_folder, mark_results
    from kornia_srgan.registry.catalog import RESIZERS

    if crop % scale:
        raise DataError(
            f"--crop {crop} is not a multiple of --scale {scale}; try {max(1, crop // scale) * scale}",
            where="--crop",
        )
    resize = RESIZERS.create(resizer)
    paths = find_images(folders)
    target = (output / "HR").resolve()
    if any(target in p.resolve().parents for p in paths):
        raise DataError(f"the output folder '{output}' holds source images; choose another", where=output)
    tiles = TileFolders.open(output, scale=scale, overwrite=overwrite)
    if output.resolve() in (folder.resolve() for folder in folders):
        mark_results((tiles.hr, tiles.lr))
    else:
        mark_folder(output)

    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("cutting", total=len(paths))
        report = write_tiles(
            paths,
            tiles,
            crop=crop,
            scale=scale,
            stride=stride or crop,
            resize=resize,
            threads=threads,
            on_image=lambda: progress.advance(task),
        )
    for message in report.skipped:
        console.print(f"skipped: {message}", highlight=False, markup=False, soft_wrap=True)
    skipped = len(report.skipped)
    typer.echo(
        f"{report.tiles} pairs of tiles ({crop}x{crop} and {crop // scale}x{crop // scale}) "
        f"of {report.images} images in {tiles.hr} and {tiles.lr}"
        + (f"; {skipped} file{'' if skipped == 1 else 's'} skipped" if skipped else "")
    )
