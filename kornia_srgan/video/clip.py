"""Describes a clip: its size, colours, times and what cannot be kept. The first frames are decoded for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.stream import Disposition

from kornia_srgan.errors import ArgumentError, DataNotFoundError, ImageError
from kornia_srgan.explain import one_line
from kornia_srgan.photos.photo import Pixels
from kornia_srgan.video.colour import HLG, PQ, Tags, complete_tags, component_depth, for_rgb
from kornia_srgan.video.hdr import Light, light_of
from kornia_srgan.video.options import VideoOptions, is_sequence, parse_time
from kornia_srgan.video.siting import assumed_siting

_LOOKED_AT = 12  # frames: enough to see whether a clip is interlaced
_MICRO = 1_000_000


@dataclass(frozen=True)
class Turn:
    """How to turn stored frames upright.

    Attributes:
        transpose: Swap rows and columns. This comes first.
        mirror: Swap left and right.
        flip: Swap top and bottom.
    """

    transpose: bool = False
    mirror: bool = False
    flip: bool = False

    def __call__(self, pixels: Pixels) -> Pixels:
        """Turn a stored frame, `(H, W, 3)` of any dtype, upright."""
        if self.transpose:
            pixels = pixels.transpose(1, 0, 2)
        if self.mirror:
            pixels = pixels[:, ::-1]
        if self.flip:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


@dataclass(frozen=True)
class Clip:
    """A clip's description.

    Attributes:
        source: A path, a pattern of numbered pictures, or a file that is open for reading.
        label: Its name in messages.
        width: Width of an upright frame, in pixels.
        height: Height of an upright frame, in pixels.
        turn: How to turn stored frames upright.
        aspect: Width over height of one pixel, upright.
        pixel_format: FFmpeg's name of the pixel format.
        tags: The meaning of the colours; what the file leaves out is filled in.
        depth: Bits of a component.
        light: What an HDR clip says about brightness.
        time_base: Seconds of one tick, the unit of frames' times.
        rate: Mean frames a second.
        frames: How many frames there probably are; 0 if unknown.
        begins: Time of the first frame, in seconds.
        ends: Time of the end as the file states it, in seconds; 0 if it does not.
        interlaced: Whether most of the first frames are marked as interlaced.
        siting: Where chroma samples lie, if the frames do not say it; else empty. See `siting`.
        notes: What is assumed or not kept, one sentence each.
    """

    source: Any
    label: str
    width: int
    height: int
    turn: Turn
    aspect: Fraction
    pixel_format: str
    tags: Tags
    depth: int
    light: Light
    time_base: Fraction
    rate: Fraction
    frames: int
    begins: Fraction
    ends: Fraction
    interlaced: bool
    siting: str = ""
    notes: tuple[str, ...] = ()


@contextmanager
def opened_clip(source: Any, label: str, rate: Fraction | None = None) -> Iterator[Any]:
    """Open a clip for reading, and close it at the end.

    Args:
        source: As `Clip.source`.
        label: Its name in messages.
        rate: Frames a second of numbered pictures; None for 25.

    Yields:
        PyAV's container.

    Raises:
        DataNotFoundError: If there is no such file, or no such pictures.
        ImageError: If it cannot be read as a video.
    """
    how = _how(source, label, rate)
    try:
        container = av.open(**how)
    except (OSError, ValueError) as error:  # PyAV's errors are both
        raise ImageError(f"'{label}' cannot be read as a video: {one_line(error)}", where=label) from error
    try:
        yield container
    finally:
        container.close()


def _how(source: Any, label: str, rate: Fraction | None) -> dict[str, Any]:
    if not isinstance(source, str | Path):
        return {"file": source, "mode": "r", "format": "yuv4mpegpipe"}
    path = Path(source)
    if not is_sequence(path):
        if not path.is_file():
            raise DataNotFoundError(f"no such file: '{label}'", where=label)
        return {"file": str(path), "mode": "r"}
    options = {"framerate": str(rate or 25), "start_number": str(first_number(path))}
    return {"file": str(path), "mode": "r", "format": "image2", "options": options}


def first_number(pattern: Path) -> int:
    """The lowest number among the pictures of a pattern like `frames/%05d.png`.

    Raises:
        ArgumentError: If the name has no number, such as `%05d`.
        DataNotFoundError: If there is no such picture.
    """
    match = re.fullmatch(r"(.*)%0?(\d*)d(.*)", pattern.name)
    if match is None:
        raise ArgumentError(f"'{pattern}' does not say where the number is; write it as %05d", where=pattern)
    before, width, after = match.groups()
    form = re.compile(rf"{re.escape(before)}(\d{{{width or 1},}}){re.escape(after)}")
    folder = pattern.parent
    names = (p.name for p in folder.iterdir()) if folder.is_dir() else ()
    numbers = [int(match[1]) for match in map(form.fullmatch, names) if match]
    if not numbers:
        raise DataNotFoundError(f"no pictures '{pattern}' (numbered, as 00001)", where=pattern)
    return min(numbers)


def main_stream(container: Any, label: str) -> Any:
    """The stream to enlarge: the first video stream that is not a cover picture.

    Raises:
        ImageError: If there is none that can be decoded.
    """
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not films or films[0].codec_context is None:
        raise ImageError(f"'{label}' holds no video that can be decoded here", where=label)
    return films[0]


def describe(
    source: Any, label: str, options: VideoOptions, *, container: Any = None
) -> tuple[Clip, list[Any]]:
    """Describe a clip by its first frames.

    Args:
        source: A path, a pattern of numbered pictures, or an open file with y4m.
        label: Its name in messages.
        options: The user's options, among them the rate of numbered pictures.
        container: PyAV's container, if the source is open already because it can be read only once.

    Returns:
        The description, and the decoded first frames, at most 12.

    Raises:
        DataNotFoundError: If there is no such file, or no such pictures.
        ImageError: If it is not a video, or of a kind that is not supported.
    """
    if container is not None:
        return _described(container, source, label, options)
    with opened_clip(source, label, options.rate) as own:
        return _described(own, source, label, options)


def _described(container: Any, source: Any, label: str, options: VideoOptions) -> tuple[Clip, list[Any]]:
    stream = main_stream(container, label)
    frames: list[Any] = []
    try:
        for frame in container.decode(stream):
            frames.append(frame)
            if len(frames) == _LOOKED_AT:
                break
    except (OSError, ValueError) as error:
        if not frames:
            raise ImageError(f"'{label}' cannot be decoded: {one_line(error)}", where=label) from error
    if not frames:
        raise ImageError(f"'{label}' holds no frame", where=label)
    return _from_frames(container, stream, frames, source, label, options), frames


def _from_frames(
    container: Any, stream: Any, frames: list[Any], source: Any, label: str, options: VideoOptions
) -> Clip:
    first = frames[0]
    turn, notes = _turn_of(first)
    tags, said = _tags_of(first, label)
    aspect = stream.sample_aspect_ratio or first_aspect(stream)
    if turn.transpose:
        aspect = 1 / aspect
    rate = Fraction(stream.average_rate or stream.guessed_rate or stream.base_rate or 25)
    interlaced = sum(frame.interlaced_frame for frame in frames) * 2 > len(frames)
    notes += [said] if said else []
    notes += _of_frame(first, tags, interlaced, options)
    width, height = first.width, first.height
    return Clip(
        source, label, *((height, width) if turn.transpose else (width, height)), turn, aspect,
        first.format.name, tags, component_depth(first.format), light_of(first), stream.time_base, rate,
        _count(container, stream, rate), _time(first, stream.time_base), _end(stream), interlaced,
        assumed_siting(first, stream.codec_context.name, full=tags.full), tuple(notes),
    )  # fmt: skip


def first_aspect(stream: Any) -> Fraction:
    """A pixel's width over its height, by the decoder; 1 if it does not say."""
    return stream.codec_context.sample_aspect_ratio or Fraction(1)


def _time(frame: Any, time_base: Fraction) -> Fraction:
    return (frame.pts or 0) * Fraction(frame.time_base or time_base)


def _count(container: Any, stream: Any, rate: Fraction) -> int:
    if stream.frames:
        return stream.frames
    if stream.duration:
        return round(stream.duration * stream.time_base * rate)
    return round(Fraction(container.duration, _MICRO) * rate) if container.duration else 0


def _end(stream: Any) -> Fraction:
    if stream.duration:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    try:
        return parse_time(stream.metadata.get("DURATION", "0"))  # of Matroska
    except ArgumentError:
        return Fraction(0)


def _tags_of(frame: Any, label: str) -> tuple[Tags, str]:
    full = frame.color_range == 2 or frame.format.name.startswith("yuvj") or frame.format.is_rgb
    tags = Tags(frame.color_primaries, frame.color_trc, frame.colorspace, full)
    if frame.format.is_rgb:
        return for_rgb(tags), ""
    try:
        return complete_tags(tags, frame.height, frame.width)
    except ImageError as error:
        raise ImageError(f"'{label}': {error}", where=label) from error


def _turn_of(frame: Any) -> tuple[Turn, list[str]]:
    """The turn that a frame's display matrix asks for, and a note.

    The matrix is that of QuickTime, in 16.16 fixed point: x' = a x + c y, y' = b x + d y.
    """
    data = next((d for d in frame.side_data if d.type == Type.DISPLAYMATRIX), None)
    if data is None:
        return Turn(), []
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5] / 65536
    for transpose, right, down in ((False, a, d), (True, c, b)):
        rest = (b, c) if not transpose else (a, d)
        if abs(abs(right) - 1) < 1e-3 and abs(abs(down) - 1) < 1e-3 and max(map(abs, rest)) < 1e-3:
            turn = Turn(transpose, right < 0, down < 0)
            return turn, [] if turn == Turn() else ["it is stored turned: the result is upright"]
    return Turn(), ["it is to be shown at an odd angle: left as it is stored"]


def _of_frame(frame: Any, tags: Tags, interlaced: bool, options: VideoOptions) -> list[str]:
    notes = []
    kinds = {data.type for data in frame.side_data}
    if any(component.is_alpha for component in frame.format.components):
        notes.append("transparency is left out")
    if interlaced and options.deinterlace:
        notes.append("it is interlaced: deinterlaced by bwdif, one frame for two fields")
    elif interlaced:
        notes.append("it is interlaced, and its lines are enlarged as they are")
    if tags.transfer in (PQ, HLG):
        notes.append(f"it is HDR ({'PQ' if tags.transfer == PQ else 'HLG'}): enlarged as stored, marks kept")
    left_out = {
        Type.DOVI_METADATA: "Dolby Vision's metadata",
        Type.DOVI_RPU_BUFFER: "Dolby Vision's metadata",
        Type.DYNAMIC_HDR_PLUS: "HDR10+ metadata",
        Type.DYNAMIC_HDR_VIVID: "HDR Vivid's metadata",
        Type.A53_CC: "closed captions inside the frames",
        Type.SPHERICAL: "the mark of 360 degree video",
        Type.STEREO3D: "the mark of 3D video",
        Type.ICC_PROFILE: "the colour profile",
    }
    return notes + [
        f"left out: {name}" for name in dict.fromkeys(left_out[k] for k in kinds if k in left_out)
    ]
