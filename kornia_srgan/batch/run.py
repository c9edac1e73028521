"""Runs jobs: decode, enlarge and encode overlap, and one bad file does not stop the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any

from kornia_srgan.batch.jobs import Job
from kornia_srgan.errors import KorniaSRGANError
from kornia_srgan.inference.picture import Enlarger, enlarge
from kornia_srgan.photos.decode import MAX_PIXELS, read_photo
from kornia_srgan.photos.encode import durations, write_rasters
from kornia_srgan.photos.formats import WriteOptions
from kornia_srgan.photos.photo import Photo, Pixels, Raster

OnRows = Callable[[float], Any]
"""Told the megapixels of input that were done since the last time."""


_LARGE_RESULT = 100.0  # megapixels; 300 MB of 8-bit RGB


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: The job.
        status: `done`, `skipped` or `failed`.
        error: Why it failed, in one line.
        notes: What could not be kept, one sentence each.
        width: Of the input.
        height: Of the input.
        megapixels: Of the input, all frames.
        seconds: From decoding to the written file.
    """

    job: Job
    status: str
    error: str = ""
    notes: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    megapixels: float = 0.0
    seconds: float = 0.0


def overlapping(jobs: Sequence[Job], scale: float) -> int:
    """How many files to have in the works: two, so that one is coded while the other computes.

    One where the results are large, because each worker holds its own in memory, or where there is one file.
    """
    largest = max((job.megapixels for job in jobs if not job.skip), default=0.0) * scale**2
    return 2 if len(jobs) > 1 and largest <= _LARGE_RESULT else 1


class _StoppedError(KorniaSRGANError):
    """The whole run was broken off."""


class _InTurns:
    """Lets several threads share one enlarger: one tile row computes at a time while others code."""

    def __init__(self, enlarger: Enlarger) -> None:
        self._enlarger = enlarger
        self._lock = threading.Lock()

    def size(self, height: int, width: int) -> tuple[int, int]:
        return self._enlarger.size(height, width)

    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        inner = self._enlarger.bands(pixels)
        while True:
            with self._lock:
                band = next(inner, None)
            if band is None:
                return
            yield band


def run(
    jobs: Sequence[Job],
    enlarger: Enlarger,
    options: WriteOptions | None = None,
    *,
    workers: int = 1,
    max_pixels: int = MAX_PIXELS,
    on_rows: OnRows = lambda _: None,
    on_outcome: Callable[[Outcome], Any] = lambda _: None,
) -> list[Outcome]:
    """Run all jobs.

    Args:
        jobs: From `jobs.plan`.
        enlarger: An `Upscaler`.
        options: How to write.
        workers: Files in the works at once; each holds its own result in memory.
        max_pixels: Refuse larger inputs.
        on_rows: Told of progress, from the workers' threads.
        on_outcome: Told of each job that ended, from this thread.

    Returns:
        The outcomes in the order of the jobs.
    """
    shared = _InTurns(enlarger) if workers > 1 else enlarger
    options = options or WriteOptions()

    stop = threading.Event()

    def rows_done(megapixels: float) -> None:
        if stop.is_set():
            raise _StoppedError("stopped")
        on_rows(megapixels)

    def work(job: Job) -> Outcome:
        return run_one(job, shared, options, max_pixels=max_pixels, on_rows=rows_done)

    outcomes: dict[int, Outcome] = {}
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        waiting = {pool.submit(work, job): index for index, job in enumerate(jobs)}
        try:
            for future in as_completed(waiting):
                outcomes[waiting[future]] = outcome = future.result()
                on_outcome(outcome)
        except BaseException:  # Ctrl-C: what is in the works ends at its next rows and leaves nothing behind
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [outcomes[index] for index in range(len(jobs))]


def run_one(
    job: Job,
    enlarger: Enlarger,
    options: WriteOptions,
    *,
    max_pixels: int = MAX_PIXELS,
    on_rows: OnRows = lambda _: None,
) -> Outcome:
    """Run one job; an error that the user can meet becomes its outcome."""
    if job.skip:
        return Outcome(job, "skipped", megapixels=job.megapixels)
    start = time.perf_counter()
    try:
        photo = read_photo(job.source, max_pixels=max_pixels, name=job.label)
        notes = photo.notes + _write(job, photo, enlarger, options, on_rows)
    except KorniaSRGANError as error:
        return Outcome(job, "failed", " ".join(str(error).split()))
    except (MemoryError, OSError) as error:
        return Outcome(job, "failed", f"cannot enlarge '{job.label}': {type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    return Outcome(job, "done", "", notes, photo.width, photo.height, photo.megapixels, seconds)


def _write(
    job: Job, photo: Photo, enlarger: Enlarger, options: WriteOptions, on_rows: OnRows
) -> tuple[str, ...]:
    frames = photo.frames
    rasters = (
        _watched(raster, frame.pixels.shape[0] * frame.pixels.shape[1], on_rows)
        for raster, frame in zip(enlarge(photo, enlarger), frames, strict=True)
    )
    times = durations(photo)
    return write_rasters(
        job.target, rasters, photo.metadata, options, form=job.form, durations=times, loop=photo.loop
    )


def _watched(raster: Raster, pixels: int, on_rows: OnRows) -> Raster:
    def watched() -> Iterator[Pixels]:
        for band in raster.bands:
            on_rows(pixels * len(band) / raster.height / 1e6)
            yield band

    return replace(raster, bands=watched())
