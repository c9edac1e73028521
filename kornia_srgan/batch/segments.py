"""The frames of one clip, done by several processes: each takes a segment, as a stopped run keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from kornia_srgan.batch.crew import Crew, LostError
from kornia_srgan.batch.worker import Bench
from kornia_srgan.errors import DataError
from kornia_srgan.inference.picture import Enlarger
from kornia_srgan.video.clip import Clip
from kornia_srgan.video.encode import Coding
from kornia_srgan.video.frames import Picture, Reader
from kornia_srgan.video.options import VideoOptions, is_sequence
from kornia_srgan.video.pipe import ClipProgress, Pipe
from kornia_srgan.video.run import run_pipe
from kornia_srgan.video.segments import OnePart
from kornia_srgan.video.sinks import ClipSink
from kornia_srgan.video.targets import Place


@dataclass(frozen=True)
class SegmentTask:
    """A segment to enlarge and encode.

    Attributes:
        clip: The clip.
        options: How it is read.
        enlarger: For all its frames.
        target: The result, beside which the segments are.
        coding: How it is encoded.
        number: Of the segment.
        length: How many frames it has.
        after: The time of the frame before it, in ticks; None for the first segment.
    """

    clip: Clip
    options: VideoOptions
    enlarger: Enlarger
    target: Path
    coding: Coding
    number: int
    length: int
    after: int | None

    def __call__(self, bench: Bench) -> int:
        """Do it; news are frames. Returns how many the network computed."""
        part = OnePart(self.target, self.number)
        sink = ClipSink(
            self.target, self.clip, self.coding, part, self.length, self.options, keep_state=False
        )
        pipe = Pipe(self.enlarger, Place(sink, last=self.after), None)
        reader = _Few(self.clip, self.options, self.length)
        told = partial(_tell_one, bench.tell)
        _, computed = bench.desk.ask(lambda: pipe.run(reader, told, total=0)).result()
        sink.close()
        if not part.segments or len(part.segments[0].moments) != self.length:
            raise DataError(
                f"'{self.clip.label}' gives other frames from the middle than from its beginning; "
                "leave out --num-processes",
                where=self.clip.label,
            )
        return computed


def _tell_one(tell: Callable[[Any], None], progress: ClipProgress) -> None:
    del progress
    tell(1)


class _Few(Reader):
    """Reads a few frames of a clip."""

    def __init__(self, clip: Clip, options: VideoOptions, count: int) -> None:
        super().__init__(clip, options)
        self._count = count

    def frames(self, *, after: int | None = None) -> Generator[Picture, None, None]:
        """So many frames, with the one before them if they do not begin the clip."""
        yield from islice(super().frames(after=after), self._count + (after is not None))


def why_alone(source: Any, target: Any, options: VideoOptions) -> str:
    """Why the frames of a clip are done by one process, in one sentence; empty where they are shared."""
    if options.steady:
        return "--steady needs the frames in their order: one process did them"
    if not isinstance(source, str | Path) or not isinstance(target, Path) or is_sequence(target):
        return "numbered pictures and pipes are not shared: one process did the frames"
    return ""


def run_shared(
    crew: Crew,
    reader: Reader,
    enlarger: Enlarger,
    place: Place,
    options: VideoOptions,
    on_frame: Callable[[ClipProgress], Any],
    total: int,
) -> tuple[int, int]:
    """Do all frames by a crew, with the result of one process: a `Run` of `enlarge_clip`.

    This process decodes the clip too, to find where segments begin. Those that an earlier run has done are
    kept, wherever they lie. What must be done in order is done by this process.

    Raises:
        LostError: If a process was lost; what the others have done is kept.
    """
    sink = place.sink
    if not isinstance(sink, ClipSink) or why_alone(reader.clip.source, sink.target, options):
        return run_pipe(reader, enlarger, place, options, on_frame, total)
    count = _Count(on_frame, total)
    errors: list[Exception] = []
    found = 0

    def ended(computed: int | None, error: Exception | None) -> None:
        count.computed += computed or 0
        if error is not None:
            errors.append(error)
            crew.drop()

    settled = replace(options, resume=True)
    after: int | None = None
    for number, times in enumerate(_by_segments(reader, sink.length)):
        found += len(times)
        there = sink.parts.at(number) if not isinstance(sink.parts, OnePart) else None
        if there is not None and [pts for pts, _ in there.moments] == times:
            count.before(len(times))
        elif not errors:
            task = SegmentTask(
                reader.clip, settled, enlarger, sink.target, sink.coding, number, len(times), after
            )
            crew.submit(task, on_news=count.more, on_end=ended)
        after = times[-1]
        crew.step(0)
    crew.finish()
    if errors:
        raise _explained(errors[0], reader.clip.label)
    if not isinstance(sink.parts, OnePart):
        sink.parts.read_again()
    return found, count.computed


class _Count:
    """Counts frames and tells of them."""

    def __init__(self, on_frame: Callable[[ClipProgress], Any], total: int) -> None:
        self._on_frame, self._total, self._began = on_frame, total, time.perf_counter()
        self.done = self.begun = self.computed = 0

    def before(self, frames: int) -> None:
        """These were done by an earlier run."""
        self.begun += frames
        self.more(frames)

    def more(self, frames: int) -> None:
        """These are done."""
        self.done += frames
        seconds = time.perf_counter() - self._began
        total = max(self._total, self.done) if self._total else 0
        self._on_frame(ClipProgress(self.done, total, self.computed, seconds, self.begun))


def _by_segments(reader: Reader, length: int) -> Iterator[list[int]]:
    """The times of the frames of each segment, in ticks."""
    times: list[int] = []
    for picture in reader.frames():
        times.append(picture.pts)
        if len(times) == length:
            yield times
            times = []
    if times:
        yield times


def _explained(error: Exception, label: str) -> Exception:
    if not isinstance(error, LostError):
        return error
    return LostError(f"cannot enlarge '{label}': {error}; --resume does what is missing", where=label)
