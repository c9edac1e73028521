"""Pictures that several processes enlarge: file by file, and large ones in parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kornia_srgan.batch.crew import Crew, CrewOrder, LostError
from kornia_srgan.batch.jobs import Job
from kornia_srgan.batch.run import OnRows, Outcome, run_job
from kornia_srgan.batch.worker import Bench
from kornia_srgan.inference.parts import Part
from kornia_srgan.inference.picture import Enlarger
from kornia_srgan.inference.rescale import Rescaler, Wanted
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.decode import MAX_PIXELS
from kornia_srgan.photos.formats import WriteOptions
from kornia_srgan.photos.photo import Pixels

_TALL = 10**6  # rows of a picture that is cut if any is
_AGAIN = "; --skip-existing does what is missing"


@dataclass(frozen=True)
class PictureTask:
    """A file to enlarge; see `run_job`."""

    job: Job
    enlarger: Enlarger
    options: WriteOptions
    max_pixels: int

    def __call__(self, bench: Bench) -> Outcome:
        """Run the job; news are megapixels of input that were done."""
        return run_job(
            self.job,
            self.enlarger,
            self.options,
            max_pixels=self.max_pixels,
            on_rows=bench.tell,
            desk=bench.desk,
        )


@dataclass(frozen=True)
class PartTask:
    """A part of a picture to enlarge; see `Upscaler.part`."""

    upscaler: Upscaler
    seen: Pixels
    part: Part

    def __call__(self, bench: Bench) -> Pixels:
        """The enlarged rows."""
        return np.concatenate(list(bench.desk.ahead(self.upscaler.part(self.seen, self.part))))


class SharedUpscaler(Upscaler):
    """An upscaler whose pictures are enlarged in parts by a crew, with the same bits.

    Args:
        upscaler: The upscaler.
        crew: The processes.
    """

    def __init__(self, upscaler: Upscaler, crew: Crew) -> None:
        vars(self).update(vars(upscaler))  # all that it has is immutable
        self._upscaler, self._crew = upscaler, crew

    def tuned(self, pixels: Pixels, quality: int | None = None) -> SharedUpscaler:
        """The one for one picture, see `Upscaler.tuned`."""
        return SharedUpscaler(self._upscaler.tuned(pixels, quality), self._crew)

    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        """The enlarged pixels from top to bottom; some parts wait in memory for those above them."""
        crew, upscaler = self._crew, self._upscaler
        height, width = pixels.shape[:2]
        parts = upscaler.parts(height, width, len(crew))
        if not parts:
            yield from upscaler.bands(pixels)
            return
        orders: deque[CrewOrder] = deque()
        for part in parts:
            task = PartTask(upscaler, pixels[part.top : part.bottom], part)
            orders.append(crew.submit(task, first=True))
            if len(orders) > crew.at_once * len(crew):
                yield crew.wait_for(orders.popleft())
        while orders:
            yield crew.wait_for(orders.popleft())


def run_jobs_together(
    jobs: Sequence[Job],
    upscaler: Upscaler,
    wanted: Wanted,
    crew: Crew,
    options: WriteOptions | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    on_rows: OnRows = lambda _: None,
    on_outcome: Callable[[Outcome], Any] = lambda _: None,
) -> list[Outcome]:
    """`run_jobs` by several processes, with the same files as by one.

    A picture that is larger than an equal share of all is read and written by this process and computed by
    all of them in parts; the others go to one process each, the largest first.

    Args:
        jobs: From `plan_jobs`.
        upscaler: Pickled for each process.
        wanted: The requested size.
        crew: The processes.
        options: How to write.
        max_pixels: Refuse larger inputs.
        on_rows: Called with progress.
        on_outcome: Called after each job.

    Returns:
        The outcomes in the order of the jobs. The job of a process that was lost has failed.
    """
    options = options or WriteOptions()
    outcomes: dict[int, Outcome] = {}

    def ended(index: int, outcome: Outcome | None, error: Exception | None = None) -> None:
        if outcome is None:
            outcome = Outcome(jobs[index], "failed", _lost(jobs[index], error))
        outcomes[index] = outcome
        on_outcome(outcome)

    total = sum(job.megapixels for job in jobs if not job.skip)
    large = [n for n, job in enumerate(jobs) if _is_large(job, total / len(crew), upscaler, len(crew))]
    others = sorted(set(range(len(jobs))) - set(large), key=lambda n: (-jobs[n].megapixels, n))
    enlarger = Rescaler(upscaler, wanted)
    for index in others:
        job = jobs[index]
        if job.skip or job.problem:
            ended(index, run_job(job, enlarger, options))
            continue
        task = PictureTask(job, enlarger, options, max_pixels)
        crew.submit(task, on_news=on_rows, on_end=partial(ended, index))
    shared = Rescaler(SharedUpscaler(upscaler, crew), wanted)
    for index in large:
        ended(index, run_job(jobs[index], shared, options, max_pixels=max_pixels, on_rows=on_rows))
    crew.finish()
    return [outcomes[index] for index in range(len(jobs))]


def _is_large(job: Job, share: float, upscaler: Upscaler, count: int) -> bool:
    """Whether one process would be busy with a picture for longer than with its share of all."""
    return not job.skip and job.megapixels > share and bool(upscaler.parts(_TALL, 1, count))


def _lost(job: Job, error: Exception | None) -> Exception | None:
    if not isinstance(error, LostError):
        return error
    return LostError(f"cannot enlarge '{job.label}': {error}{_AGAIN}", where=job.label)
