"""`kornia-srgan upscale`: pictures in, larger pictures out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kornia_srgan.cli.options import PluginOption, console, write_text

if TYPE_CHECKING:
    from kornia_srgan.inference.batch import Outcome
    from kornia_srgan.inference.formats import WriteOptions
    from kornia_srgan.inference.jobs import Job
    from kornia_srgan.inference.upscaler import Upscaler

SOME_FAILED = 3


def command(
    inputs: Annotated[list[str], typer.Argument(metavar="IN", help="Pictures, folders, patterns.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="A folder; for one picture also a file.")],
    weights: Annotated[str | None, typer.Option(help="A packaged name or a .safetensors file.")] = None,
    tile: Annotated[str, typer.Option(help="Side of a tile in pixels; auto; 0: all at once.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, float16, bfloat16.")] = "float32",
    file_format: Annotated[
        str | None, typer.Option("--format", help="png, jpeg, webp, tiff, avif, gif, bmp [default: lossless]")
    ] = None,
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="For jpeg, webp, avif [default: lossless, or 95]")
    ] = None,
    subsampling: Annotated[
        Literal["4:4:4", "4:2:2", "4:2:0"], typer.Option(help="Colour resolution of jpeg and avif.")
    ] = "4:4:4",
    name: Annotated[str, typer.Option(help="Name of results in a folder.")] = "{stem}_x{scale}",
    overwrite: Annotated[
        bool | None, typer.Option("--overwrite/--skip-existing", help="Where a result is there already.")
    ] = None,
    recursive: Annotated[bool, typer.Option(help="Go into folders of folders.")] = True,
    jobs: Annotated[int, typer.Option(min=1, help="Files in the works at once.")] = 1,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger inputs, in megapixels.")] = 100,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write a report to this file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, errors only.")] = False,
    plugin: PluginOption = None,
) -> None:
    """Enlarge photographs: files, folders or patterns; metadata, depth and transparency are kept."""
    from kornia_srgan.errors import ImageError
    from kornia_srgan.inference.formats import WriteOptions, named_format
    from kornia_srgan.inference.jobs import find_sources, plan
    from kornia_srgan.plugins import load_plugins

    side = _tile(tile)
    form = named_format(file_format) if file_format else None
    sources = find_sources(inputs, recursive=recursive)
    load_plugins(plugin or ())
    upscaler = _upscaler(weights, side, device, dtype)
    existing = "refuse" if overwrite is None else "overwrite" if overwrite else "skip"
    work = plan(sources, output, scale=upscaler.scale, pattern=name, form=form, existing=existing)
    options = WriteOptions(quality=quality, subsampling=subsampling)
    outcomes = _run(work, upscaler, options, jobs, max_pixels * 1_000_000, quiet)
    if json_file is not None:
        write_text(json_file, _report(outcomes, upscaler))
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed and len(outcomes) == 1:
        raise ImageError(failed[0].error)
    if failed:
        _list_failures(failed, len(outcomes))
        raise typer.Exit(SOME_FAILED)


def _tile(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdigit():
        raise typer.BadParameter(f"'{text}' is neither 'auto' nor a number of pixels", param_hint="--tile")
    return int(text)


def _upscaler(weights: str | None, tile: int | Literal["auto"], device: str, dtype: str) -> Upscaler:
    from kornia_srgan.inference.upscaler import Upscaler

    return Upscaler.from_pretrained(weights, tile=tile, device=device, dtype=dtype)


def _run(
    work: list[Job], upscaler: Upscaler, options: WriteOptions, jobs: int, max_pixels: int, quiet: bool
) -> list[Outcome]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from kornia_srgan.inference.batch import run

    screen = console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.2f}/{task.total:.2f} MP"),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    total = sum(job.megapixels for job in work if not job.skip)
    with Progress(*columns, console=screen, disable=quiet or not screen.is_terminal) as bar:
        task = bar.add_task(f"0/{len(work)}", total=total, speed="")
        ended = 0

        def on_rows(megapixels: float) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, advance=megapixels, speed=f"{speed:.2f} MP/s" if speed else "")

        def on_outcome(outcome: Outcome) -> None:
            nonlocal ended
            ended += 1
            bar.update(task, description=f"{ended}/{len(work)}")
            if not quiet:
                for line in _lines(outcome):
                    bar.console.print(line, soft_wrap=True)

        return run(
            work,
            upscaler,
            options,
            workers=jobs,
            max_pixels=max_pixels,
            on_rows=on_rows,
            on_outcome=on_outcome,
        )


def _lines(outcome: Outcome) -> list[str]:
    job = outcome.job
    if outcome.status == "failed":
        return []
    if outcome.status == "skipped":
        return [f"{job.label}: skipped, {job.target} exists"]
    speed = outcome.megapixels / outcome.seconds if outcome.seconds else 0.0
    done = f"{job.label} -> {job.target} ({outcome.seconds:.1f} s, {speed:.2f} MP/s)"
    return [done, *(f"  note: {note}" for note in outcome.notes)]


def _list_failures(failed: list[Outcome], total: int) -> None:
    typer.echo(f"{len(failed)} of {total} files failed:", err=True)
    for outcome in failed:
        typer.echo(f"  {outcome.error}", err=True)


def _report(outcomes: list[Outcome], upscaler: Upscaler) -> str:
    import json

    files = [
        {
            "source": outcome.job.label,
            "target": str(outcome.job.target) if outcome.status != "failed" else None,
            "status": outcome.status,
            "error": outcome.error or None,
            "notes": list(outcome.notes),
            "input_size": [outcome.width, outcome.height] if outcome.width else None,
            "megapixels": round(outcome.megapixels, 6),
            "seconds": round(outcome.seconds, 3),
        }
        for outcome in outcomes
    ]
    setting = {"scale": upscaler.scale, "tile": upscaler.tile, "device": str(upscaler.device)}
    return json.dumps({**setting, "files": files}, indent=2, ensure_ascii=False) + "\n"
