"""Runs jobs: one thread computes, others decode and encode. A bad file does not stop the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from kornia_srgan.batch.claims import claimed
from kornia_srgan.batch.desk import Desk, StoppedError
from kornia_srgan.batch.elsewhere import brought
from kornia_srgan.batch.jobs import Job
from kornia_srgan.errors import DataError, ImageError, KorniaSRGANError, NotFiniteError, OutOfMemoryError
from kornia_srgan.explain import one_line
from kornia_srgan.inference.files import is_scene
from kornia_srgan.inference.picture import Enlarger, enlarge, tuned_for
from kornia_srgan.inference.rescale import Rescaler
from kornia_srgan.inference.scenes import SceneReport, upscale_scene
from kornia_srgan.inference.tiling import is_out_of_memory
from kornia_srgan.photos.decode import MAX_PIXELS, read_photo
from kornia_srgan.photos.encode import write_photo
from kornia_srgan.photos.formats import WriteOptions
from kornia_srgan.photos.photo import Photo, Pixels, Raster

OnRows = Callable[[float], Any]
"""Told the megapixels of input that were done since the last time."""


_LARGE_RESULT = 100.0  # megapixels; 300 MB of 8-bit RGB


@dataclass(frozen=True)
class Outcome:
    """The result of a job.

    Attributes:
        job: The job.
        status: `done`, `skipped` or `failed`.
        error: Why it failed; a one-line message with the file, unless it is a bug in this package.
        notes: What could not be kept, one sentence each.
        width: Of the input.
        height: Of the input.
        megapixels: Of the input, all frames.
        seconds: From decoding to the written file.
        restore: How much noise and compression was removed, 0 to 1; None for weights without this setting.
    """

    job: Job
    status: str
    error: Exception | None = None
    notes: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    megapixels: float = 0.0
    seconds: float = 0.0
    restore: float | None = None


def overlapping(jobs: Sequence[Job], scale: float) -> int:
    """The default number of files in work: two, so that one is read or written while the other computes.

    One for a single file, and for large results, because each worker holds its own in memory.
    """
    largest = max((job.megapixels for job in jobs if not job.skip), default=0.0) * scale**2
    return 2 if len(jobs) > 1 and largest <= _LARGE_RESULT else 1


def run_jobs(
    jobs: Sequence[Job],
    enlarger: Enlarger,
    options: WriteOptions | None = None,
    *,
    workers: int = 1,
    max_pixels: int = MAX_PIXELS,
    on_rows: OnRows = lambda _: None,
    on_outcome: Callable[[Outcome], Any] = lambda _: None,
) -> list[Outcome]:
    """Run all jobs. This thread computes; other threads read and write files.

    Args:
        jobs: From `plan_jobs`.
        enlarger: An `Upscaler`.
        options: How to write.
        workers: Files in work at the same time; each holds its result in memory.
        max_pixels: Refuse larger inputs.
        on_rows: Called with progress, from the worker threads.
        on_outcome: Called after each job, from this thread.

    Returns:
        The outcomes in the order of the jobs.
    """
    options = options or WriteOptions()
    desk, stop = Desk(), threading.Event()
    outcomes: dict[int, Outcome] = {}

    def rows_done(megapixels: float) -> None:
        if stop.is_set():
            raise StoppedError("stopped")
        on_rows(megapixels)

    def ended(index: int, future: Future[Outcome]) -> None:
        outcomes[index] = outcome = future.result()
        on_outcome(outcome)

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        try:
            for index, job in enumerate(jobs):
                future = pool.submit(
                    run_job, job, enlarger, options, max_pixels=max_pixels, on_rows=rows_done, desk=desk
                )
                future.add_done_callback(
                    lambda f, index=index: None if f.cancelled() else desk.leave(lambda: ended(index, f))
                )
            while len(outcomes) < len(jobs):
                desk.work()
        except BaseException:  # Ctrl-C: what is in the works ends at its next rows and leaves nothing behind
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            on_outcome = _ignore
            desk.close()
            raise
    return [outcomes[index] for index in range(len(jobs))]


def _ignore(outcome: Outcome) -> None:
    """After a stop."""


def run_job(
    job: Job,
    enlarger: Enlarger,
    options: WriteOptions | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    on_rows: OnRows = lambda _: None,
    desk: Desk | None = None,
) -> Outcome:
    """Run one job; errors are stored in the outcome.

    Args:
        job: The job.
        enlarger: An `Upscaler`.
        options: How to write.
        max_pixels: Refuse larger inputs.
        on_rows: Called with progress.
        desk: Where to compute; None for this thread.
    """
    options = options or WriteOptions()
    if job.skip:
        return Outcome(job, "skipped", megapixels=job.megapixels)
    if job.problem:
        return Outcome(job, "failed", ImageError(job.problem, where=job.label))
    if job.claim or job.fetch or job.deliver:
        around = _run_claimed if job.claim else _run_elsewhere
        return around(job, enlarger, options, max_pixels=max_pixels, on_rows=on_rows, desk=desk)
    start = time.perf_counter()
    try:
        if isinstance(enlarger, Rescaler) and is_scene(enlarger.upscaler, job.source, job.target):
            return _run_scene(job, enlarger, on_rows, desk)
        photo = read_photo(job.source, max_pixels=max_pixels, name=job.label)
        # Where the network computes, for it is computed too.
        chosen = desk.ask(lambda: tuned_for(photo, enlarger)).result() if desk else tuned_for(photo, enlarger)
        notes = job.notes + photo.notes + chosen.notes(photo.height, photo.width)
        notes += _write(job, photo, chosen, options, on_rows, desk)
    except Exception as error:
        return Outcome(job, "failed", _named(error, job.label))
    seconds = time.perf_counter() - start
    return Outcome(
        job, "done", None, notes, photo.width, photo.height, photo.megapixels, seconds, chosen.restore
    )


def _run_claimed(job: Job, enlarger: Enlarger, options: WriteOptions, **rest: Any) -> Outcome:
    """Run a job unless another process is at it or made it since it was planned."""
    try:
        with claimed(job.target) as other:
            if other or job.target.is_file():
                notes = (f"{other} is at it",) if other else ()
                return Outcome(job, "skipped", None, notes, megapixels=job.megapixels)
            return run_job(replace(job, claim=False), enlarger, options, **rest)
    except ImageError as error:
        return Outcome(job, "failed", error)


def _run_elsewhere(job: Job, enlarger: Enlarger, options: WriteOptions, **rest: Any) -> Outcome:
    """Run a job whose picture or result lies elsewhere."""
    try:
        with brought(job) as here:
            outcome = run_job(here, enlarger, options, **rest)
    except DataError as error:
        return Outcome(job, "failed", error)
    return replace(outcome, job=job)


def _run_scene(job: Job, enlarger: Rescaler, on_rows: OnRows, desk: Desk | None) -> Outcome:
    """Enlarge a map, or an image of several bands, in windows."""
    start = time.perf_counter()

    def work() -> SceneReport:
        return upscale_scene(enlarger, job.source, job.target, name=job.label, on_window=on_rows)

    done = desk.ask(work).result() if desk else work()
    height, width = done.source
    seconds = time.perf_counter() - start
    notes = job.notes + done.notes
    return Outcome(job, "done", None, notes, width, height, height * width / 1e6, seconds, done.restore)


def _named(error: Exception, label: str) -> Exception:
    """The error with the file in its message."""
    text = one_line(error)
    named: KorniaSRGANError
    if isinstance(error, NotFiniteError):
        named = NotFiniteError(f"cannot enlarge '{label}': {text}")
    elif isinstance(error, OutOfMemoryError):
        named = OutOfMemoryError(f"cannot enlarge '{label}': {text}")
    elif isinstance(error, KorniaSRGANError):
        named = error
    elif is_out_of_memory(error):
        named = OutOfMemoryError(
            f"cannot enlarge '{label}': not enough memory; use smaller tiles (--tile), one file at a time "
            "(--jobs 1), or another --device"
        )
    elif isinstance(error, OSError):
        named = ImageError(f"cannot enlarge '{label}': {type(error).__name__}: {text}")
    else:
        return error
    named.where = named.where or label
    if named is not error:
        named.__cause__ = error
    return named


def _write(
    job: Job, photo: Photo, enlarger: Enlarger, options: WriteOptions, on_rows: OnRows, desk: Desk | None
) -> tuple[str, ...]:
    larger = enlarge(photo, enlarger)
    if desk is not None:
        larger = _computed_at(desk, larger)
    rasters = (
        _watched(raster, frame.pixels.shape[0] * frame.pixels.shape[1], on_rows)
        for raster, frame in zip(larger, photo.frames, strict=True)
    )
    return write_photo(job.target, photo, options, rasters=rasters, form=job.form)


def _computed_at(desk: Desk, rasters: Iterator[Raster]) -> Iterator[Raster]:
    while (raster := desk.ask(lambda: next(rasters, None)).result()) is not None:
        yield replace(raster, bands=desk.ahead(raster.bands))


def _watched(raster: Raster, pixels: int, on_rows: OnRows) -> Raster:
    def watched() -> Iterator[Pixels]:
        for band in raster.bands:
            on_rows(pixels * len(band) / raster.height / 1e6)
            yield band

    return replace(raster, bands=watched())
