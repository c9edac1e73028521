"""What may be asked of a clip's result. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from kornia_srgan.errors import ArgumentError

VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts",
    ".m2ts", ".wmv", ".flv", ".f4v", ".ogv", ".3gp", ".3g2", ".mxf", ".dv", ".y4m", ".nut", ".h264", ".264",
    ".hevc", ".h265", ".265",
})  # fmt: skip
Y4M_SIGNATURE = b"YUV4MPEG2"

_SEQUENCE = re.compile(r"%0?\d*d")
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")


@dataclass(frozen=True)
class VideoOptions:
    """How a clip is enlarged and written.

    Attributes:
        codec: An encoder of FFmpeg; None for H.264, or HEVC where there are more than 8 bits or 4096 pixels.
        crf: Quality where the encoder has such a scale, lower is better; None for its good default.
        preset: How long the encoder tries; None for its good default.
        pixel_format: As FFmpeg names them; None for the clip's own where the encoder takes it.
        encoder_options: More options of the encoder, by name.
        container_options: Options of the container, by name, such as `movflags`.
        start: Frames before this time, in seconds, are left out.
        end: Frames from this time on are left out.
        rate: Frames a second of an image sequence.
        segment: Seconds of the clip that are encoded together; a stop loses at most one segment.
        resume: Go on with a run that was stopped; False begins again; None refuses to choose.
        steady: How strongly flicker is lowered, 0 to 1; 0 leaves each frame alone.
        deinterlace: Whether frames that are marked as interlaced are deinterlaced.
        existing: What to do where the result is there already.
    """

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pixel_format: str | None = None
    encoder_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    start: Fraction | None = None
    end: Fraction | None = None
    rate: Fraction | None = None
    segment: float = 2.0
    resume: bool | None = None
    steady: float = 0.0
    deinterlace: bool = True
    existing: Literal["overwrite", "skip"] = "overwrite"

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ArgumentError("--end must come after --start", where="end")
        if not 0 <= self.steady <= 1:
            raise ArgumentError(f"steady is {self.steady}; it must be from 0 to 1", where="steady")
        if not self.segment > 0:
            raise ArgumentError(f"segment is {self.segment}; it must be above 0 seconds", where="segment")


def parse_time(text: str) -> Fraction:
    """A time as `12.5` or `1:02:03.25`, in seconds, exact.

    Raises:
        ArgumentError: If it is none.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ArgumentError(f"'{text}' is not a time; write seconds (12.5) or 1:02:03.25", where="time")
    hours, minutes, seconds = match.groups()
    return 3600 * Fraction(hours or 0) + 60 * Fraction(minutes or 0) + Fraction(seconds.rstrip("."))


def parse_rate(text: str) -> Fraction:
    """Frames a second as `25`, `29.97` or `30000/1001`.

    Raises:
        ArgumentError: If it is none.
    """
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 10000:
        raise ArgumentError(f"'{text}' is not a frame rate; write 25, 29.97 or 30000/1001", where="rate")
    return rate


def parse_pairs(texts: list[str] | None) -> dict[str, str]:
    """Options as `name=value`, by name.

    Raises:
        ArgumentError: If one is of another form.
    """
    pairs = [text.partition("=") for text in texts or ()]
    wrong = [name for name, equals, _ in pairs if not (name and equals)]
    if wrong:
        raise ArgumentError(f"'{wrong[0]}' is not an option; write name=value", where="options")
    return {name: value for name, _, value in pairs}


def is_sequence(path: str | Path) -> bool:
    """Whether a path means numbered pictures, as `frames/%05d.png` does."""
    return _SEQUENCE.search(Path(path).name) is not None


def is_clip(text: str) -> bool:
    """Whether an input on the command line is a clip: by its suffix, or as numbered pictures."""
    return is_sequence(text) or Path(text).suffix.lower() in VIDEO_SUFFIXES
