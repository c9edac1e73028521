"""The three places for enlarged frames: a video file, numbered pictures, a y4m stream."""

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
from kornia_srgan.video.colour import component_depth, from_rgb, in_8_bits
from kornia_srgan.video.encode import Coding
from kornia_srgan.video.mux import write_clip
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.segments import Coded, OnePart, Parts


class Sink(Protocol):
    """Takes enlarged frames in the order of time.

    One thread calls it. An object is for one result.
    """

    def write(self, pixels: Pixels, pts: int, duration: int) -> None:
        """Take the next frame.

        Args:
            pixels: RGB, `(H, W, 3)`, uint8 or uint16.
            pts: When the frame begins, in ticks of the clip's `time_base`.
            duration: How long it is shown, in the same ticks.
        """
        ...

    def finish(self) -> tuple[str, ...]:
        """Complete the result after the last frame.

        Returns:
            What the result could not keep, one sentence each.

        Raises:
            DataError: If there was no frame.
        """
        ...


class ClipSink:
    """Writes a video file: encodes it in segments, and joins them at the end.

    The segments are files in a folder beside the result, so a run that stops can go on.

    Args:
        target: The video file to write.
        clip: The clip that sound, subtitles and the rest are taken from.
        coding: The encoder and its settings.
        parts: The folder of the segments.
        length: Frames in a segment.
        options: The user's options.
        keep_state: Whether to store the last frame of each segment, for a next one that depends on it.

    Attributes:
        target: As given.
        parts: As given.
        coding: As given.
        length: As given.
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
        """Encode a frame, `(H, W, 3)`; write the segment to the disk when it is full.

        Raises:
            ImageError: If the encoder cannot be opened, or did not return a packet for each frame.
        """
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
        """The number of a packet's frame in the segment, from 0."""
        return round(packet.pts * packet.time_base * self.coding.rate)

    def close(self) -> None:
        """Write the frames since the last segment to the disk, as a segment.

        Raises:
            ImageError: If the encoder did not return a packet for each frame.
        """
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
        """Write the last segment, join all of them, and remove their folder; see `Sink`."""
        self.close()
        if not self.parts.segments:
            raise _no_frame(self._clip)
        notes = write_clip(self.target, self._clip, self.coding, self.parts.segments, self._options)
        self.parts.remove()
        return notes


class PicturesSink:
    """Writes each frame as a numbered picture. A picture is written whole or not at all.

    Args:
        pattern: Path of the pictures, with a place for the number: `frames/%05d.png`.
        clip: The clip that the frames come from.
        first: The number of the first picture.
        write: How to write pictures, such as their quality.

    Attributes:
        parts: The folder that stores the settings of a run until `finish`; None if there is none.

    Raises:
        ArgumentError: If the clip is HDR, which pictures cannot hold.
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
        """The path of a picture by its number."""
        name = re.sub(r"%0?(\d*)d", lambda m: f"{number:0{m[1] or 1}}", self._pattern.name)
        return self._pattern.with_name(name)

    def done(self) -> int:
        """How many pictures exist already, from the first up to the first gap."""
        count = 0
        while self.path(self._first + count).is_file():
            count += 1
        return count

    def skip(self, count: int) -> None:
        """Leave the next `count` pictures as they are."""
        self._number += count

    def write(self, pixels: Pixels, pts: int, duration: int) -> None:
        """Write a frame, `(H, W, 3)`, as the next picture."""
        del pts
        if self._clip.depth <= 8 and pixels.dtype == np.uint16:  # a steadied frame has 16 bits
            pixels = in_8_bits(pixels)
        path = self.path(self._number)
        if not self._whole:
            mark_results([path])
        notes = write_rasters(path, [raster_of(Frame(pixels), "RGB")], Metadata(), self._options)
        self._said |= dict.fromkeys(notes)
        self._number += 1
        self._durations.add(duration)

    def finish(self) -> tuple[str, ...]:
        """Return what pictures cannot hold; see `Sink`."""
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
    """Writes a YUV4MPEG2 (y4m) stream, which other programs read through a pipe.

    Args:
        file: A binary file that is open for writing.
        clip: The clip that the frames come from.
        size: Height and width of the enlarged frames, in pixels.
        pixel_format: FFmpeg's name of the pixel format. None keeps the clip's chroma sampling, in 8 bits, or
            in 10 bits where the clip has more than 8.
        live: Whether to flush the file after each frame.

    Raises:
        ArgumentError: If y4m cannot hold the pixel format.
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
        self._header()  # raises before any work if y4m has no name for the format

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
        """Write a frame, `(H, W, 3)`."""
        del pts
        if not self._begun:
            self._file.write(self._header())
            self._begun = True
        frame = from_rgb(pixels, self._clip.tags, self._format)
        bytes_each = 2 if component_depth(frame.format) > 8 else 1
        self._file.write(b"FRAME\n")
        for plane in frame.planes:
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            self._file.write(rows[:, : plane.width * bytes_each].tobytes())
        if self._live:
            self._file.flush()
        self._durations.add(duration)

    def finish(self) -> tuple[str, ...]:
        """Flush the stream and return what it cannot hold; see `Sink`."""
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
    """The number of frames in a time: at least 1.

    Args:
        seconds: The time.
        rate: Frames a second.
    """
    return max(1, round(Fraction(seconds).limit_denominator(1000) * rate))
