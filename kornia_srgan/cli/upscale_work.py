"""The steps of `kornia-srgan upscale`: from options to an upscaler, and pictures to larger pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import typer

if TYPE_CHECKING:
    from kornia_srgan.batch.crew import Crew
    from kornia_srgan.batch.jobs import Existing
    from kornia_srgan.batch.naming import Naming
    from kornia_srgan.batch.run import Outcome
    from kornia_srgan.batch.share import Share
    from kornia_srgan.batch.sources import Source, Sources
    from kornia_srgan.inference.rescale import Wanted
    from kornia_srgan.inference.upscaler import Upscaler
    from kornia_srgan.photos.formats import Format, WriteOptions

SOME_FAILED = 3
STREAM = "-"


def check_output(output: Path, pictures: int, clips: int) -> None:
    """Refuse one file as the place of several results.

    Raises:
        BadParameter: If it is.
    """
    if str(output) == STREAM and pictures + clips != 1:
        raise typer.BadParameter("- takes one picture or video", param_hint="--output")
    if clips and pictures and output.suffix and not output.is_dir():
        raise typer.BadParameter("it is one file, and there are videos and pictures", param_hint="--output")


def enlarge_pictures(
    sources: Sequence[Source],
    output: Path,
    address: str,
    upscaler: Upscaler,
    wanted: Wanted,
    naming: Naming,
    options: WriteOptions,
    *,
    form: Format | None,
    existing: Existing,
    jobs: int | None,
    share: Share,
    crew: Crew | None,
    max_pixels: int,
    quiet: bool,
) -> list[Outcome]:
    """Plan and run the pictures, under a progress bar; with an address, results go there instead."""
    from functools import partial

    from kornia_srgan.batch.elsewhere import delivered
    from kornia_srgan.batch.jobs import is_file_output, plan_jobs
    from kornia_srgan.batch.run import overlapping, run_jobs
    from kornia_srgan.batch.together import run_jobs_together
    from kornia_srgan.cli.upscale_view import run_with_progress
    from kornia_srgan.inference.rescale import Rescaler
    from kornia_srgan.photos.outputs import mark_results

    if not sources:
        return []
    with _target(output) as folder:
        work = plan_jobs(sources, folder, naming, form=form, existing="skip" if share.claims else existing)
        work = [replace(job, claim=share.claims) for job in work]
        if address:
            work = delivered(work, folder, address, skip=existing == "skip")
        elif str(output) == STREAM:
            work = [replace(job, target_label=STREAM) for job in work]
        elif not is_file_output(sources, folder):
            mark_results(job.target for job in work if not job.problem)
        work = share.of(work, lambda job: job.megapixels)
        workers = jobs or overlapping(work, wanted.scale or upscaler.scale)
        if crew is None:
            enlarger = Rescaler(upscaler, wanted)
            run = partial(run_jobs, work, enlarger, options, workers=workers, max_pixels=max_pixels)
        else:
            crew.at_once = workers
            run = partial(run_jobs_together, work, upscaler, wanted, crew, options, max_pixels=max_pixels)
        outcomes = run_with_progress(work, run, quiet=quiet)
        if str(output) == STREAM and outcomes and outcomes[0].status == "done":
            _to_stdout(outcomes[0].job.target)
    return outcomes


def exit_with(errors: Sequence[Exception | None], reasons: Sequence[str]) -> None:
    """End with the error of the only file, or a list of those that failed; return where none did.

    Args:
        errors: Of each file; None where it is done.
        reasons: The same, in one line each.
    """
    from kornia_srgan.cli.upscale_view import list_failures

    if len(errors) == 1 and errors[0] is not None:
        raise errors[0]
    lines = [line for line, error in zip(reasons, errors, strict=True) if error is not None]
    if lines:
        list_failures(lines, len(errors))
        raise typer.Exit(SOME_FAILED)


def restore_of(text: str) -> float | Literal["auto"]:
    """The value of `--restore`."""
    from kornia_srgan.errors import ArgumentError
    from kornia_srgan.inference.restore import parse_restore

    try:
        return parse_restore(text)
    except ArgumentError as error:
        raise typer.BadParameter(str(error), param_hint="--restore") from error


def tile_of(text: str) -> int | Literal["auto"]:
    """The value of `--tile`."""
    from kornia_srgan.errors import ArgumentError
    from kornia_srgan.inference.tile_size import parse_tile

    try:
        return parse_tile(text)
    except ArgumentError as error:
        raise typer.BadParameter(str(error), param_hint="--tile") from error


def state_range(weights: str) -> bool:
    """Whether weights state the range of their data, so that they are not for photographs."""
    from kornia_srgan.weights.files import read_spec
    from kornia_srgan.weights.foreign import is_foreign
    from kornia_srgan.weights.locate import locate_weights

    if not weights.lower().endswith(".safetensors"):
        return False
    path = locate_weights(weights)
    return not is_foreign(path) and bool(read_spec(path).data_range)


def format_for(upscaler: Upscaler, form: Format | None, output: Path, clips: Sequence[str]) -> Format | None:
    """The format of all results: the one that was asked for; TIFF for data of a stated range.

    Raises:
        UserError: If such data is asked for as something else, or there is a video.
    """
    from kornia_srgan.errors import UserError
    from kornia_srgan.photos.formats import FORMATS
    from kornia_srgan.weights.spec import describe_channels

    if upscaler.data_range is None:
        return form
    what = f"the weights are for images of {describe_channels(upscaler.channels, upscaler.data_range)}"
    tiff = FORMATS["TIFF"]
    if clips:
        raise UserError(f"{clips[0]} is a video, and {what}", where=clips[0])
    by_name = output.suffix.lower() if output.suffix and not output.is_dir() else ""
    if (form or tiff) is not tiff or by_name not in ("", ".npy", *tiff.suffixes):
        raise UserError(f"{what}, which are written as .tif or .npy", where=output)
    return tiff


def sources_of(inputs: list[str], recursive: bool, *, arrays: bool = False) -> Sources:
    """The pictures that are meant; with `arrays` also the `.npy` files in folders."""
    import sys

    from kornia_srgan.batch.sources import Source, Sources, find_sources

    if not inputs:
        return Sources(())
    if STREAM not in inputs:
        return find_sources(inputs, recursive=recursive, arrays=arrays)
    if len(inputs) > 1:
        raise typer.BadParameter("- (standard input) cannot be given with other inputs", param_hint="IN")
    return Sources((Source(Path("stdin"), data=sys.stdin.buffer.read()),))


def share_of(text: str | None, *, launched: bool) -> Share:
    """The share that was typed; all of the work without one.

    Raises:
        UserError: If it is none, or a launcher started several processes that would each do all the work.
    """
    from kornia_srgan.batch.launcher import check_not_launched
    from kornia_srgan.batch.share import parse_share

    if text is None and not launched:
        check_not_launched()
    return parse_share(text)


@contextmanager
def local_output(
    output: str, inputs: Sequence[str], clips: Sequence[str], share: Share
) -> Iterator[tuple[Path, str]]:
    """The output as a path, and its address if it lies elsewhere; then the path takes its place here.

    Raises:
        UserError: If an address is given for what is only done here.
    """
    from kornia_srgan.batch.elsewhere import check_results_address
    from kornia_srgan.errors import UserError
    from kornia_srgan.network import is_address, last_part

    for clip in clips:
        if is_address(clip):
            raise UserError(f"'{clip}' is a video; copy it to this machine first", where=clip)
    if not is_address(output):
        yield Path(output), ""
        return
    if clips:
        raise UserError(
            f"videos cannot be written to '{output}'; give a folder or file of this machine", where=output
        )
    if share.claims:
        raise UserError(
            f"--share auto needs a folder that all machines see, and '{output}' is an address; give each its "
            "share, such as --share 1/2, or --skip-existing",
            where="share",
        )
    check_results_address(output, inputs)
    with TemporaryDirectory(prefix="kornia-srgan-") as folder:
        yield Path(folder) / (last_part(output) or "results"), output


@contextmanager
def _target(output: Path) -> Iterator[Path]:
    """The folder or file to write to: a temporary folder where a picture goes to standard output."""
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


@contextmanager
def crew_of(
    count: int | None, threads: int | None, device: str, plugins: list[str], *, launched: bool, quiet: bool
) -> Iterator[Crew | None]:
    """The processes that share the work; None where this one does it.

    Args:
        count: How many, as typed.
        threads: Of each process, as typed.
        device: As typed; where it names none of several GPUs, each process takes its own.
        plugins: As typed.
        launched: Whether a launcher started others, which wait for this one.
        quiet: Nothing is printed.
    """
    from functools import partial

    from kornia_srgan.batch.muster import Start, started_crew

    own_devices = device in ("auto", "cuda")
    if launched:
        if count is not None:
            raise typer.BadParameter(
                "the launcher starts the processes; leave it out", param_hint="--num-processes"
            )
        from kornia_srgan.batch.launcher import announce, this_launch

        launch = this_launch()
        if launch is not None:
            start = Start(
                1,
                launch.count - 1,
                threads=threads or launch.threads,
                plugins=tuple(plugins),
                own_devices=own_devices,
                quiet=quiet,
                host=launch.host,
            )
            telling = partial(announce, own_devices=own_devices)
            with started_crew(start, telling, launch.local_rank) as crew:
                yield crew
            return
    if count is None or count == 1:
        yield None
        return
    start = Start(count, threads=threads, plugins=tuple(plugins), own_devices=own_devices, quiet=quiet)
    with started_crew(start) as crew:
        yield crew
