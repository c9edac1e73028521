"""Chooses the sink of a result, and finds what an earlier run has finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kornia_srgan.errors import ArgumentError, UserError
from kornia_srgan.photos.formats import WriteOptions
from kornia_srgan.photos.photo import Pixels
from kornia_srgan.video.clip import Clip, first_number, opened_clip
from kornia_srgan.video.encode import coding_for
from kornia_srgan.video.frames import Reader
from kornia_srgan.video.options import VideoOptions, is_sequence
from kornia_srgan.video.segments import Parts
from kornia_srgan.video.sinks import ClipSink, PicturesSink, Sink, Y4mSink, frames_of


@dataclass(frozen=True)
class Place:
    """The destination of frames.

    Attributes:
        sink: Receives the frames.
        done: Number of frames finished by an earlier run.
        last: The time of the last of them, in ticks; None if there are none.
        state: Its result, if the next one depends on it.
        notes: Notes about what is not kept, one sentence each.
    """

    sink: Sink
    done: int = 0
    last: int | None = None
    state: Pixels | None = None
    notes: tuple[str, ...] = ()


def check_target(source: Any, target: Path, label: str) -> None:
    """Refuse a result that would overwrite its source.

    Raises:
        UserError: If it would.
    """
    same = str(source) == str(target)
    if isinstance(source, str | Path) and not is_sequence(source):
        same = same or (target.exists() and Path(source).exists() and target.samefile(source))
    if same:
        raise UserError(f"'{label}' would be overwritten; choose another -o", where=label)


def place_for(
    clip: Clip,
    target: Path | BinaryIO,
    size: tuple[int, int],
    restore: float | None,
    options: VideoOptions,
    identity: Mapping[str, str] | None,
    write: WriteOptions | None,
) -> Place:
    """Choose the destination of frames.

    Args:
        clip: The clip.
        target: A path, a pattern of numbered pictures, or a file open for writing, which gets y4m.
        size: Height and width of the result.
        restore: The setting of the dial, if known.
        options: The options of the run.
        identity: What else the frames depend on.
        write: Options for writing pictures.

    Raises:
        ArgumentError: If the target does not support the options.
        UserError: If there is a stopped run, and `resume` is not set or it had other settings.
    """
    if not isinstance(target, Path):
        return Place(Y4mSink(target, clip, size, options.pixel_format), notes=_unheard(clip))
    if target.suffix.lower() == ".y4m":
        raise ArgumentError("y4m is for pipes: -o - writes it to standard output", where="output")
    plan = {
        "clip": _identity_of(clip),
        "size": list(size),
        "weights": dict(identity or {}),
        "restore": restore,
        "range": [str(options.start), str(options.end)],
        "steady": options.steady,
        "deinterlace": options.deinterlace,
    }
    if is_sequence(target):
        return _pictures(clip, target, options, write or WriteOptions(), plan)
    coding = coding_for(clip, size, options, target)
    coding.context()  # unsupported settings fail before hours of work
    length = frames_of(options.segment, clip.rate)
    plan |= {"coding": [coding.codec, coding.options, coding.pixel_format], "segment": length}
    parts = Parts(target, plan, options.resume)
    keep = options.steady > 0
    sink = ClipSink(target, clip, coding, parts, length, options, keep_state=keep)
    before = parts.state() if keep else None
    return Place(sink, parts.frames, parts.last, before, coding.notes)


def _identity_of(clip: Clip) -> list[str]:
    """The identity of a clip, for resuming a run."""
    if not isinstance(clip.source, str | Path) or is_sequence(clip.source):
        return [clip.label, str(clip.rate)]
    found = Path(clip.source).stat()
    return [str(Path(clip.source).absolute()), str(found.st_size), str(found.st_mtime_ns)]


def _pictures(
    clip: Clip, target: Path, options: VideoOptions, write: WriteOptions, plan: Mapping[str, Any]
) -> Place:
    numbered = isinstance(clip.source, str | Path) and is_sequence(clip.source)
    first = first_number(Path(clip.source)) if numbered else 1
    sink = PicturesSink(target, clip, first, write)
    done = sink.done() if options.resume else 0
    sink.parts = Parts(target, {**plan, "pictures": vars(write)}, bool(options.resume), begun=done > 0)
    if not done:
        return Place(sink, notes=_unheard(clip))
    if options.steady > 0:
        raise ArgumentError("pictures that were begun with --steady cannot be resumed", where="resume")
    sink.skip(done)
    pts = next((p.pts for number, p in enumerate(Reader(clip, options).frames(), 1) if number == done), None)
    return Place(sink, done, pts, notes=_unheard(clip))


def _unheard(clip: Clip) -> tuple[str, ...]:
    """Notes about what a result without a container cannot keep."""
    if not isinstance(clip.source, str | Path) or is_sequence(clip.source):
        return ()
    with opened_clip(clip.source, clip.label) as source:
        others = [str(s.type) for s in source.streams if s.type != "video"]
        if source.chapters():
            others.append("chapters")
    names = {"audio": "sound", "subtitle": "subtitles"}
    kinds = dict.fromkeys(names.get(kind, kind) for kind in others)
    return (f"left out, without a place there: {', '.join(kinds)}",) if kinds else ()
