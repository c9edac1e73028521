"""Decodes the frames of a clip as upright RGB with their times."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.error import BlockingIOError as NothingYetError
from av.error import EOFError as EndError
from av.error import InvalidDataError
from av.filter import Graph

from kornia_srgan.errors import ImageError
from kornia_srgan.explain import one_line
from kornia_srgan.photos.photo import Pixels
from kornia_srgan.video.clip import Clip, main_stream, opened_clip
from kornia_srgan.video.colour import to_rgb
from kornia_srgan.video.options import VideoOptions, is_sequence
from kornia_srgan.video.siting import siting_filter

_EARLY = Fraction(1, 4)  # seconds


@dataclass(frozen=True)
class Picture:
    """A frame.

    Attributes:
        pixels: `(H, W, 3)`, `uint8`, or `uint16` for clips of more than 8 bits.
        pts: The time at which it is shown, in ticks of the clip's time base.
        duration: How long it is shown, in ticks.
        same: Whether it is identical to the previous frame.
    """

    pixels: Pixels
    pts: int
    duration: int
    same: bool = False


class Reader:
    """Reads a clip's frames in the order of their times.

    Args:
        clip: From `describe`.
        options: Start, end, rate and deinterlacing are used.
        container: The open file, if it can be read only once.
        first: The frames that were already read from it.

    Attributes:
        damaged: Number of packets that could not be decoded so far.
        moved: Number of frames with the same time as the previous one.
    """

    def __init__(
        self, clip: Clip, options: VideoOptions, *, container: Any = None, first: Iterable[Any] = ()
    ) -> None:
        self.clip, self._options = clip, options
        self._container, self._first = container, first
        self.damaged = self.moved = 0
        self._end = Fraction(0)
        self._from = None if options.start is None else clip.begins + options.start
        self._until = None if options.end is None else clip.begins + options.end

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about problems, complete after all frames are read."""
        notes = []
        if self.damaged:
            notes.append(f"pieces of the video that are damaged and were left out or patched: {self.damaged}")
        if self.moved:
            notes.append(f"frames without a time of their own, shown just after the one before: {self.moved}")
        missing = self.clip.ends - self._end
        if self._end and missing > max(_EARLY, 3 / self.clip.rate):
            notes.append(f"the file ends {float(missing):.2g} s before its stated end: it may be cut off")
        return tuple(notes)

    def frames(self, *, after: int | None = None) -> Generator[Picture, None, None]:
        """The frames between start and end.

        Args:
            after: Start with the frame at this time (in ticks), to continue after it.

        Raises:
            ImageError: If the clip becomes unreadable or changes its size.
        """
        begin = self._from if after is None else after * self.clip.time_base
        before: Pixels | None = None
        end = Fraction(0)
        for frame, pts, duration in self._timed(begin):
            when = pts * self.clip.time_base
            if self._until is not None and when >= self._until:
                return
            if begin is not None and when < begin:
                continue
            pixels = self.clip.turn(to_rgb(frame, self.clip.tags))
            if pixels.shape[:2] != (self.clip.height, self.clip.width):
                raise ImageError(
                    f"'{self.clip.label}' changes its size to {pixels.shape[1]}x{pixels.shape[0]} at "
                    f"{float(when - self.clip.begins):.2f} s; enlarge the parts one by one (--start, --end)",
                    where=self.clip.label,
                )
            same = before is not None and np.array_equal(pixels, before)
            before = pixels
            yield Picture(pixels, pts, duration, same)
            end = (pts + duration) * self.clip.time_base
        if self._until is None:
            self._end = end

    def _timed(self, begin: Fraction | None) -> Iterator[tuple[Any, int, int]]:
        """Decode frames; their times in ticks are made strictly increasing."""
        tick = self.clip.time_base
        usual = max(1, round(1 / self.clip.rate / tick))
        last: int | None = None
        for frame in self._decoded(begin):
            base = Fraction(frame.time_base or tick) / tick
            stamp = frame.pts if frame.pts is not None else frame.dts
            pts = round(stamp * base) if stamp is not None else 0 if last is None else last + usual
            if last is not None and pts <= last:
                self.moved += 1
                pts = last + 1
            last = pts
            yield frame, pts, round((frame.duration or 0) * base) or usual

    def _decoded(self, begin: Fraction | None) -> Iterator[Any]:
        if self._container is not None:
            stream = main_stream(self._container, self.clip.label)
            yield from self._filtered(stream, self._read(self._container, stream, self._first))
            return
        if begin is not None and begin > self.clip.begins and not is_sequence(self.clip.source):
            with opened_clip(self.clip.source, self.clip.label) as container:
                stream = self._stream(container)
                frames = self._filtered(stream, self._read(container, stream))
                first = _sought(container, stream, begin, frames)
                if first is not None and self._early(first, begin):
                    yield first
                    yield from frames
                    return
        with opened_clip(self.clip.source, self.clip.label, self._options.rate) as container:
            stream = self._stream(container)
            yield from self._filtered(stream, self._read(container, stream))

    def _early(self, frame: Any, begin: Fraction) -> bool:
        """Whether a seek landed at or before a time; for interlaced clips, one frame earlier."""
        when = None if frame.pts is None else frame.pts * Fraction(frame.time_base or self.clip.time_base)
        return when is not None and (when < begin or (when == begin and not self.clip.interlaced))

    def _stream(self, container: Any) -> Any:
        stream = main_stream(container, self.clip.label)
        stream.thread_type = "AUTO"
        return stream

    def _read(self, container: Any, stream: Any, first: Iterable[Any] = ()) -> Iterator[Any]:
        for frame in first:
            yield self._looked_at(frame)
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                frames = [] if packet is None else packet.decode()
            except InvalidDataError:
                self.damaged += 1
                continue
            except EndError:  # a stream of a few frames was read to its end when it was looked at
                return
            except (OSError, ValueError) as error:
                raise ImageError(
                    f"'{self.clip.label}' cannot be read to its end: {one_line(error)}", where=self.clip.label
                ) from error
            if packet is None:
                return
            for frame in frames:
                yield self._looked_at(frame)

    def _looked_at(self, frame: Any) -> Any:
        self.damaged += bool(frame.is_corrupt)
        return frame

    def _filtered(self, stream: Any, frames: Iterator[Any]) -> Iterator[Any]:
        """Frames with what they do not say, and deinterlaced; one comes out for each that goes in."""
        filters = [siting_filter(self.clip.siting)] if self.clip.siting else []
        if self.clip.interlaced and self._options.deinterlace:
            filters.append(("bwdif", "mode=send_frame:parity=auto:deint=all"))
        if not filters:
            yield from frames
            return
        graph = Graph()
        source = graph.add_buffer(template=stream, time_base=stream.time_base)
        steps = [graph.add(*step) for step in filters]
        graph.link_nodes(source, *steps, graph.add("buffersink")).configure()
        for frame in frames:
            graph.vpush(frame)
            yield from _pulled(graph)
        graph.vpush(None)
        yield from _pulled(graph)


def _sought(container: Any, stream: Any, begin: Fraction, frames: Iterator[Any]) -> Any:
    """The first frame after a seek; None if the file cannot be read from there."""
    try:
        container.seek(int(begin / stream.time_base), stream=stream)
        return next(frames, None)
    except (OSError, ValueError):
        return None


def _pulled(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.vpull()
        except (NothingYetError, EndError):
            return
