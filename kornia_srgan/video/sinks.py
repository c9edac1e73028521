"""Where enlarged frames go: a video file by segments, numbered pictures, or a y4m stream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
import numpy as np

from kornia_srgan.errors import ArgumentError, DataError, ImageError
from kornia_srgan.photos.encode import write_rasters
from kornia_srgan.photos.formats import WriteOptions
from kornia_srgan.photos.outputs import mark_if_new, mark_results
from kornia_srgan.photos.photo import Frame, Metadata, Pixels, raster_of
from kornia_srgan.video.clip import Clip
from kornia_srgan.video.colour import depth_of, from_rgb, in_8_bits
from kornia_srgan.video.encode import Coding
from kornia_srgan.video.mux import write_clip
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.segments import Coded, OnePart, Parts


class Sink(Protocol):
    """Takes enlarged frames in order; called from one thread."""

    def write(self, pixels: Pixels, pts: int, duration: int) -> None:
        """Take a frame, `(H, W, 3)`."""
        ...

    def finish(self) -> tuple[str, ...]:
        """All frames are there: make the result whole. Returns what could not be kept."""
        ...


class ClipSink:
    """Encodes segments into a folder beside the result, and joins them at the end.

    Args:
        target: The result.
        clip: Where the sound and the rest comes from.
        coding: How to encode.
        parts: The segments.
        length: Frames of a segment.
        options: What was asked for.
        keep_state: Keep the last frame of each segment for the next.

    Attributes:
        target: The result.
        parts: The segments.
        coding: How to encode.
        length: Frames of a segment.
    """

    def __init__(
        self,
        target: Path,
        clip: Clip,
        coding: Coding,
        parts: Parts | OnePart,
        length: int,
        options: VideoOptions,
        *,
        keep_state: bool,
    ) -> None:
        self.target, self._clip, self.coding, self.parts = target, clip, coding, parts
        self.length, self._options, self._keep_state = length, options, keep_state
        self._encoder: Any = None
        self._packets: list[Coded] = []
        self._moments: list[tuple[int, int]] = []
        self._last: Pixels | None = None

    def write(self, pixels: Pixels, pts: int, duration: int) -> None:
        """Encode a frame; at the end of a segment, put it on the disk."""
        if self._encoder is None:
            self._encoder = self.coding.context()
        number = len(self._moments)
        self._moments.append((pts, duration))
        self._take(self._encoder.encode(self.coding.frame(pixels, number)))
        self._last = pixels
        if len(self._moments) == self.length:
            self.close()

    def _take(self, packets: Sequence[Any]) -> None:
        self._packets += [
            Coded(bytes(p), self._moments[self._number(p)][0], p.is_keyframe) for p in packets if p.size
        ]

    def _number(self, packet: Any) -> int:
        """Which frame of the segment a packet holds."""
        return round(packet.pts * packet.time_base * self.coding.rate)

    def close(self) -> None:
        """Put the frames since the last segment on the disk, as a segment."""
        if not self._moments:
            return
        self._take(self._encoder.encode(None))
        if len(self._packets) != len(self._moments):
            raise ImageError(
                f"{self.coding.codec} made {len(self._packets)} packets of {len(self._moments)} frames; "
                "choose another --codec",
                where="codec",
            )
        self.parts.add(self._packets, self._moments, self._last if self._keep_state else None)
        self._encoder, self._packets, self._moments = None, [], []

    def finish(self) -> tuple[str, ...]:
        """Write the last segment and join all."""
        self.close()
        if not self.parts.segments:
            raise _no_frame(self._clip)
        notes = write_clip(self.target, self._clip, self.coding, self.parts.segments, self._options)
        self.parts.remove()
        return notes


class PicturesSink:
    """Writes each frame as a picture of its own, whole or not at all.

    Args:
        pattern: A path like `frames/%05d.png`.
        clip: The clip.
        first: The number of the first picture.
        write: Quality and the like.
    """

    def __init__(self, pattern: Path, clip: Clip, first: int, write: WriteOptions) -> None:
        if clip.tags.hdr:
            raise ArgumentError(
                "pictures cannot hold HDR (PQ, HLG); write a video, such as .mp4", where=pattern
            )
        self._pattern, self._clip, self._options = pattern, clip, write
        self._first = self._number = first
        self._durations: set[int] = set()
        self._said: dict[str, None] = {}
        self._whole = mark_if_new(pattern.parent)
        self.parts: Parts | None = None

    def path(self, number: int) -> Path:
        """The picture of a number."""
        name = re.sub(r"%0?(\d*)d", lambda m: f"{number:0{m[1] or 1}}", self._pattern.name)
        return self._pattern.with_name(name)

    def done(self) -> int:
        """How many pictures are there without a gap."""
        count = 0
        while self.path(self._first + count).is_file():
            count += 1
        return count

    def skip(self, count: int) -> None:
        """Leave these as they are."""
        self._number += count

    def write(self, pixels: Pixels, pts: int, duration: int) -> None:
        """Write a picture."""
        del pts
        if self._clip.depth <= 8 and pixels.dtype == np.uint16:  # steadied frames
            pixels = in_8_bits(pixels)
        path = self.path(self._number)
        if not self._whole:
            mark_results([path])
        notes = write_rasters(path, [raster_of(Frame(pixels), "RGB")], Metadata(), self._options)
        self._said |= dict.fromkeys(notes)
        self._number += 1
        self._durations.add(duration)

    def finish(self) -> tuple[str, ...]:
        """What pictures cannot hold."""
        if self._number == self._first:
            raise _no_frame(self._clip)
        notes = [*self._said]
        if len(self._durations) > 1:
            notes.append("frames have different durations, which pictures cannot hold")
        if self._clip.aspect != 1:
            notes.append(f"pixels are not square ({self._clip.aspect}), which is not said in the pictures")
        if self._clip.tags.primaries not in (1, 5, 6):
            notes.append("wide colours are stored as they are, without a profile")
        if self.parts is not None:
            self.parts.remove()
        return tuple(notes)


class Y4mSink:
    """Writes a YUV4MPEG2 stream, for pipes.

    Args:
        file: Open for writing bytes.
        clip: The clip.
        size: Height and width.
        pixel_format: As FFmpeg names it; None for 4:2:0 in the clip's depth.
        live: Flush after each frame.
    """

    def __init__(
        self,
        file: BinaryIO,
        clip: Clip,
        size: tuple[int, int],
        pixel_format: str | None,
        *,
        live: bool = True,
    ) -> None:
        deep = "p10le" if clip.depth > 8 else "p"
        self._format = pixel_format or f"yuv{_chroma(clip)}{deep}"
        self._file, self._clip, self._size, self._live = file, clip, size, live
        self._begun = False
        self._durations: set[int] = set()
        self._header()  # a format that y4m has no name for is refused before any work

    def _header(self) -> bytes:
        match = re.fullmatch(r"yuv(420|422|444)p(1[0246])?(?:le)?", self._format)
        if match is None:
            raise ArgumentError(
                f"y4m cannot hold {self._format}; it takes yuv420p, yuv422p, yuv444p and 10le",
                where="pixel_format",
            )
        space = f"{match[1]}p{match[2]}" if match[2] else {"420": "420mpeg2"}.get(match[1], match[1])
        rate, aspect = self._clip.rate, self._clip.aspect
        span = "FULL" if self._clip.tags.full else "LIMITED"
        return (
            f"YUV4MPEG2 W{self._size[1]} H{self._size[0]} F{rate.numerator}:{rate.denominator} Ip "
            f"A{aspect.numerator}:{aspect.denominator} C{space} XCOLORRANGE={span}\n"
        ).encode()

    def write(self, pixels: Pixels, pts: int, duration: int) -> None:
        """Write a frame."""
        del pts
        if not self._begun:
            self._file.write(self._header())
            self._begun = True
        frame = from_rgb(pixels, self._clip.tags, self._format)
        bytes_each = 2 if depth_of(frame.format) > 8 else 1
        self._file.write(b"FRAME\n")
        for plane in frame.planes:
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            self._file.write(rows[:, : plane.width * bytes_each].tobytes())
        if self._live:
            self._file.flush()
        self._durations.add(duration)

    def finish(self) -> tuple[str, ...]:
        """What the stream cannot hold."""
        if not self._begun:
            raise _no_frame(self._clip)
        self._file.flush()
        notes = []
        mean = 1 / self._clip.rate / self._clip.time_base
        if any(abs(duration - mean) > 1 for duration in self._durations):
            notes.append("frames have different durations, which y4m cannot hold")
        if self._clip.tags.matrix != 1:
            notes.append("y4m does not say which matrix its colours have: the clip's own")
        return tuple(notes)


def _no_frame(clip: Clip) -> DataError:
    return DataError(f"no frame of '{clip.label}' lies between --start and --end", where=clip.label)


def _chroma(clip: Clip) -> str:
    form = av.VideoFormat(clip.pixel_format, 16, 16)
    if form.is_rgb or len(form.components) < 3 or form.chroma_height() < 16:
        return "420"
    return "444" if form.chroma_width() == 16 else "422"


def frames_of(seconds: float, rate: Fraction) -> int:
    """Frames in so many seconds, at least 1."""
    return max(1, round(Fraction(seconds).limit_denominator(1000) * rate))
