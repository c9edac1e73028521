"""Options for enlarging a clip. Standard library only."""

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
        codec: An encoder of FFmpeg; None for H.264, or HEVC for more than 8 bits or 4096 pixels.
        crf: Quality on the encoder's scale, lower is better; None for a high quality.
        preset: The speed preset of the encoder; None for a suitable default.
        pixel_format: A name of FFmpeg; None for that of the clip if the encoder supports it.
        encoder_options: Other options of the encoder, by name.
        container_options: Options of the container, by name, such as `movflags`.
        start: The start in seconds; earlier frames are skipped.
        end: The end in seconds; frames from this time on are skipped.
        rate: Frames per second of numbered pictures.
        segment: Length of a segment in seconds; a stop loses at most one segment.
        resume: True continues a stopped run, False starts again, None raises an error if there is one.
        steady: How strongly to reduce flicker, from 0 (not at all) to 1.
        deinterlace: Deinterlace frames that are marked as interlaced.
        existing: What to do if the result exists.
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
    """Parse a time such as `12.5` or `1:02:03.25`: exact seconds.

    Raises:
        ArgumentError: If it is not a time.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ArgumentError(f"'{text}' is not a time; write seconds (12.5) or 1:02:03.25", where="time")
    hours, minutes, seconds = match.groups()
    return 3600 * Fraction(hours or 0) + 60 * Fraction(minutes or 0) + Fraction(seconds.rstrip("."))


def parse_rate(text: str) -> Fraction:
    """Parse a frame rate such as `25`, `29.97` or `30000/1001`.

    Raises:
        ArgumentError: If it is not a frame rate.
    """
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 10000:
        raise ArgumentError(f"'{text}' is not a frame rate; write 25, 29.97 or 30000/1001", where="rate")
    return rate


def parse_pairs(texts: list[str] | None) -> dict[str, str]:
    """Parse options of the form `name=value`.

    Raises:
        ArgumentError: If one is of another form.
    """
    pairs = [text.partition("=") for text in texts or ()]
    wrong = [name for name, equals, _ in pairs if not (name and equals)]
    if wrong:
        raise ArgumentError(f"'{wrong[0]}' is not an option; write name=value", where="options")
    return {name: value for name, _, value in pairs}


def is_sequence(path: str | Path) -> bool:
    """Whether a path is a pattern of numbered pictures, such as `frames/%05d.png`."""
    return _SEQUENCE.search(Path(path).name) is not None


def is_clip(text: str) -> bool:
    """Whether an input of the command line is a clip, by its suffix or as numbered pictures."""
    return is_sequence(text) or Path(text).suffix.lower() in VIDEO_SUFFIXES
