"""`kornia-srgan upscale`: pictures in, larger pictures out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kornia_srgan.atomic import write_text
from kornia_srgan.cli.options import PluginOption, ThreadsOption, check_writable

if TYPE_CHECKING:
    from kornia_srgan.batch.sources import Sources
    from kornia_srgan.inference.upscaler import Upscaler

SOME_FAILED = 3
STREAM = "-"


def command(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN", help="Pictures, folders, patterns; - for standard input.")
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A folder; for one picture also a file, or - for stdout.")
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            help="A packaged name (edsr-x4 is the fastest on a CPU) or a .safetensors or .onnx file."
        ),
    ] = None,
    then: Annotated[
        list[str] | None,
        typer.Option(metavar="WEIGHTS", help="Weights the result goes through next; can be repeated."),
    ] = None,
    interpolate: Annotated[
        tuple[str, str, float] | None,
        typer.Option(metavar="A B X", help="Between two weights: 0 is A, 1 is B, instead of --weights."),
    ] = None,
    restore: Annotated[
        str,
        typer.Option(metavar="auto|0..1", help="How much noise and compression to take away; auto reads it."),
    ] = "auto",
    scale: Annotated[float | None, typer.Option(help="Times the input [default: the model's]")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Of the result, in pixels.")] = None,
    long_side: Annotated[int | None, typer.Option(min=1, help="Of the result, in pixels.")] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Mean over eight flips and turns; 8 times the work.")
    ] = False,
    color_fix: Annotated[
        bool, typer.Option("--color-fix", help="Take the coarse colour from the input.")
    ] = False,
    tile: Annotated[str, typer.Option(help="Side of a tile in pixels; auto; 0: all at once.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    dtype: Annotated[
        str,
        typer.Option(help="auto: the fastest with the same picture; float32: exact; float16; bfloat16."),
    ] = "auto",
    engine: Annotated[
        str, typer.Option(help="torch, onnxruntime, openvino, or auto: what is measured to be the fastest.")
    ] = "torch",
    provider: Annotated[
        str | None, typer.Option(help="Of onnxruntime: cpu, cuda, tensorrt, directml, coreml, openvino.")
    ] = None,
    threads: ThreadsOption = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help="png, jpeg, webp, tiff, avif, gif, bmp [default: lossless]")
    ] = None,
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="For jpeg, webp, avif [default: lossless, or 95]")
    ] = None,
    subsampling: Annotated[
        Literal["4:4:4", "4:2:2", "4:2:0"], typer.Option(help="Colour resolution of jpeg and avif.")
    ] = "4:4:4",
    background: Annotated[
        str, typer.Option(help="Shows through transparency where the format has none: white, #rrggbb.")
    ] = "white",
    name: Annotated[
        str, typer.Option(help="Names results: {stem}, {ext}, {size} (x4, 1600w, 1600px), {scale}.")
    ] = "{stem}_{size}",
    overwrite: Annotated[
        bool, typer.Option("--overwrite/--skip-existing", help="Where a result is there already.")
    ] = True,
    recursive: Annotated[bool, typer.Option(help="Go into folders of folders.")] = True,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Files in the works at once [default: 2, large ones 1]")
    ] = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger inputs, in megapixels.")] = 250,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write a report to this file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, errors only.")] = False,
    plugin: PluginOption = None,
) -> None:
    """Enlarge photographs: files, folders or patterns; metadata, depth and transparency are kept."""
    from kornia_srgan.cli.quiet import libraries_silenced
    from kornia_srgan.cli.upscale_view import list_failures, list_left_out, report, show_note

    with libraries_silenced(quiet):
        from kornia_srgan.allocator import keep_freed_memory
        from kornia_srgan.batch.jobs import is_file_output, plan_jobs
        from kornia_srgan.batch.naming import Naming
        from kornia_srgan.batch.run import overlapping
        from kornia_srgan.cli.upscale_view import run_with_progress
        from kornia_srgan.inference.rescale import Rescaler, Wanted
        from kornia_srgan.photos.formats import WriteOptions, named_format, parse_color
        from kornia_srgan.photos.outputs import mark_results
        from kornia_srgan.registry.plugins import load_plugins

        if json_file is not None:
            check_writable(json_file)
        wanted = Wanted(scale, width, long_side)
        form = named_format(file_format) if file_format else None
        options = WriteOptions(quality, subsampling, parse_color(background))
        found = _sources(inputs, recursive)
        sources = found.files
        if str(output) == STREAM and len(sources) != 1:
            raise typer.BadParameter("- takes one picture", param_hint="--output")
        load_plugins(plugin or ())
        keep_freed_memory()
        upscaler = _upscaler(
            weights,
            then or [],
            interpolate,
            ensemble,
            color_fix,
            _restore(restore),
            _tile(tile),
            device,
            dtype,
            engine,
            provider,
        )
        show_note(upscaler, quiet)
        factor = None if width or long_side else scale or upscaler.scale
        naming = Naming(wanted.label(upscaler.scale), factor, name)
        with _target(output) as folder:
            existing = "overwrite" if overwrite else "skip"
            work = plan_jobs(sources, folder, naming, form=form, existing=existing)
            if str(output) == STREAM:
                work = [replace(job, target_label=STREAM) for job in work]
            elif not is_file_output(sources, folder):
                mark_results(job.target for job in work if not job.problem)
            workers = jobs or overlapping(work, scale or upscaler.scale)
            pixels = max_pixels * 1_000_000
            enlarger = Rescaler(upscaler, wanted)
            outcomes = run_with_progress(
                work, enlarger, options, workers=workers, max_pixels=pixels, quiet=quiet
            )
            if str(output) == STREAM and outcomes[0].status == "done":
                _to_stdout(outcomes[0].job.target)
    if json_file is not None:
        write_text(json_file, report(outcomes, found.left_out, upscaler))
    list_left_out([] if quiet else found.left_out)
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    if failed:
        list_failures(failed, len(outcomes))
        raise typer.Exit(SOME_FAILED)


def _restore(text: str) -> float | Literal["auto"]:
    from kornia_srgan.errors import ArgumentError
    from kornia_srgan.inference.restore import parse_restore

    try:
        return parse_restore(text)
    except ArgumentError as error:
        raise typer.BadParameter(str(error), param_hint="--restore") from error


def _tile(text: str) -> int | Literal["auto"]:
    from kornia_srgan.errors import ArgumentError
    from kornia_srgan.inference.tile_size import parse_tile

    try:
        return parse_tile(text)
    except ArgumentError as error:
        raise typer.BadParameter(str(error), param_hint="--tile") from error


def _sources(inputs: list[str], recursive: bool) -> Sources:
    import sys

    from kornia_srgan.batch.sources import Source, Sources, find_sources

    if STREAM not in inputs:
        return find_sources(inputs, recursive=recursive)
    if len(inputs) > 1:
        raise typer.BadParameter("- (standard input) cannot be given with other inputs", param_hint="IN")
    return Sources((Source(Path("stdin"), data=sys.stdin.buffer.read()),))


@contextmanager
def _target(output: Path) -> Iterator[Path]:
    """The folder or file to write to: a temporary folder where the result goes to standard output."""
    if str(output) != STREAM:
        yield output
        return
    with TemporaryDirectory(prefix="kornia-srgan-") as folder:
        yield Path(folder)


def _to_stdout(path: Path) -> None:
    import shutil
    import sys

    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
    sys.stdout.buffer.flush()


def _upscaler(
    weights: str | None,
    then: list[str],
    interpolate: tuple[str, str, float] | None,
    ensemble: bool,
    color_fix: bool,
    restore: float | Literal["auto"],
    tile: int | Literal["auto"],
    device: str,
    dtype: str,
    engine: str,
    provider: str | None,
) -> Upscaler:
    from kornia_srgan.inference.upscaler import Upscaler

    if interpolate is not None and weights is not None:
        raise typer.BadParameter("give it or --weights, not both", param_hint="--interpolate")
    return Upscaler.from_pretrained(
        weights,
        then=then,
        interpolate=interpolate,
        ensemble=ensemble,
        color_fix=color_fix,
        restore=restore,
        tile=tile,
        device=device,
        dtype=dtype,
        engine=engine,
        provider=provider,
    )
