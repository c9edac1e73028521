"""Enlarges a clip."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kornia_srgan.inference.picture import Enlarger
from kornia_srgan.photos.formats import WriteOptions
from kornia_srgan.photos.photo import Pixels, white_of
from kornia_srgan.video.clip import Clip, describe, opened_clip
from kornia_srgan.video.colour import to_rgb
from kornia_srgan.video.frames import Reader
from kornia_srgan.video.options import VideoOptions, is_sequence
from kornia_srgan.video.pipe import ClipProgress, Pipe
from kornia_srgan.video.steady import Steadier
from kornia_srgan.video.targets import Place, check_target, place_for

_APART = 12  # frames between those that set the dial
_MOST_LOOKED_AT = 120
_NEARLY_FLAT = 4 / 255


@dataclass(frozen=True)
class ClipOutcome:
    """The outcome of a clip.

    Attributes:
        clip: The clip; None if it was skipped.
        target: The result.
        frames: Number of frames in the result.
        computed: Frames that the network computed in this run; others were repeated or already done.
        seconds: Time of this run.
        restore: How much noise and compression was removed, if known.
        notes: Notes about assumptions and what is not kept, one sentence each.
        size: Height and width.
        skipped: Whether the result already existed.
    """

    clip: Clip | None
    target: Path
    frames: int = 0
    computed: int = 0
    seconds: float = 0.0
    restore: float | None = None
    notes: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    skipped: bool = False


Run = Callable[[Reader, Enlarger, Place, VideoOptions, Callable[[ClipProgress], Any], int], tuple[int, int]]
"""Does the frames of a reader; returns how many there are, and how many the network computed now."""


def run_pipe(
    reader: Reader,
    enlarger: Enlarger,
    place: Place,
    options: VideoOptions,
    on_frame: Callable[[ClipProgress], Any],
    total: int,
) -> tuple[int, int]:
    """Do all frames in this process, in their order: a `Run`."""
    steadier = Steadier(options.steady) if options.steady else None
    return Pipe(enlarger, place, steadier).run(reader, on_frame, total=total)


def enlarge_clip(
    source: Any,
    target: Path | BinaryIO,
    enlarger: Enlarger,
    options: VideoOptions | None = None,
    *,
    label: str = "",
    identity: Mapping[str, str] | None = None,
    write: WriteOptions | None = None,
    on_start: Callable[[Clip, Enlarger, tuple[int, int]], Any] = lambda *_: None,
    on_frame: Callable[[ClipProgress], Any] = lambda _: None,
    run: Run = run_pipe,
) -> ClipOutcome:
    """Enlarge a clip.

    Args:
        source: A path; a pattern of numbered pictures (`frames/%05d.png`); a file open for reading, with y4m.
        target: A path; a pattern of numbered pictures; a file open for writing, which gets y4m.
        enlarger: An `Upscaler`, or a `Rescaler` for other sizes. A dial is set once, from the first frames.
        options: How to enlarge and write it.
        label: The name of the clip in messages.
        identity: Other settings that the frames depend on; a run is only resumed with the same ones.
        write: Options for writing pictures.
        on_start: Called with the clip, the enlarger with its dial set, and the size of the result.
        on_frame: Called with the progress, from this thread.
        run: Computes the frames; by default in this process.

    Raises:
        ImageError: If the clip cannot be read or the result cannot be written.
        UserError: If there is a stopped run and `options.resume` is None.
    """
    options = options or VideoOptions()
    began = time.perf_counter()
    label = label or str(source)
    if isinstance(target, Path):
        check_target(source, target, label)
        if options.existing == "skip" and not is_sequence(target) and target.is_file():
            return ClipOutcome(None, target, skipped=True)
    piped = not isinstance(source, str | Path)
    if not piped:
        clip, first = describe(source, label, options)
        reader = Reader(clip, options)
        return _enlarge(
            clip, reader, first, target, enlarger, options, identity, write, on_start, on_frame, run, began
        )
    with opened_clip(source, label) as container:
        clip, first = describe(source, label, options, container=container)
        reader = Reader(clip, options, container=container, first=first)
        return _enlarge(
            clip, reader, first, target, enlarger, options, identity, write, on_start, on_frame, run, began
        )


def _enlarge(
    clip: Clip,
    reader: Reader,
    first: list[Any],
    target: Path | BinaryIO,
    enlarger: Enlarger,
    options: VideoOptions,
    identity: Mapping[str, str] | None,
    write: WriteOptions | None,
    on_start: Callable[[Clip, Enlarger, tuple[int, int]], Any],
    on_frame: Callable[[ClipProgress], Any],
    run: Run,
    began: float,
) -> ClipOutcome:
    tuned = _tuned(enlarger, clip, options, first)
    height, width = tuned.size(clip.height, clip.width)
    notes = clip.notes + tuned.notes(clip.height, clip.width)
    on_start(clip, tuned, (height, width))
    place = place_for(clip, target, (height, width), tuned.restore, options, identity, write)
    total = _total(clip, options)
    on_frame(ClipProgress(place.done, total, 0, 0.0, place.done))  # the first frame may take a while
    frames, computed = run(reader, tuned, place, options, on_frame, total)
    notes += place.notes + place.sink.finish() + reader.notes
    path = target if isinstance(target, Path) else Path("-")
    seconds = time.perf_counter() - began
    return ClipOutcome(
        clip, path, frames, computed, seconds, tuned.restore, tuple(dict.fromkeys(notes)), (height, width)
    )


def _total(clip: Clip, options: VideoOptions) -> int:
    """The expected number of frames; 0 if unknown."""
    if not clip.frames or (options.start is None and options.end is None):
        return clip.frames
    start = options.start or 0
    length = clip.frames / clip.rate
    end = min(length, options.end) if options.end is not None else length
    return max(0, round((end - start) * clip.rate))


def _tuned(enlarger: Enlarger, clip: Clip, options: VideoOptions, first: list[Any]) -> Enlarger:
    """The enlarger for all frames; a dial is set once, to the median for some early frames."""
    if isinstance(clip.source, str | Path):
        with contextlib.closing(Reader(clip, options).frames()) as frames:
            telling = _telling(shown.pixels for shown in frames)
    else:
        telling = _telling(clip.turn(to_rgb(frame, clip.tags)) for frame in first)
    if not telling:  # all of it is cut away; said where it is written
        return enlarger
    made = enlarger.tuned(telling[0])
    if made.restore is None or made is enlarger:
        return made
    tuned = [made, *(enlarger.tuned(pixels) for pixels in telling[1:])]
    return sorted(tuned, key=lambda one: one.restore or 0.0)[len(tuned) // 2]


def _telling(frames: Iterable[Pixels]) -> list[Pixels]:
    """Up to three of the first frames, some distance apart; leading black frames are skipped."""
    chosen: list[Pixels] = []
    spare: list[Pixels] = []
    next_one = 0
    for number, pixels in enumerate(frames):
        spare = spare or [pixels]
        if number >= next_one and pixels.std() >= _NEARLY_FLAT * white_of(pixels.dtype):
            chosen.append(pixels)
            next_one = number + _APART
        if len(chosen) == 3 or number == _MOST_LOOKED_AT:
            break
    return chosen or spare
