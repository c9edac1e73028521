"""Writes the finished file: the new video with sound, subtitles, chapters and metadata of the old one."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from kornia_srgan.atomic import replacing
from kornia_srgan.errors import ImageError, KorniaSRGANError, located
from kornia_srgan.explain import one_line
from kornia_srgan.video.clip import Clip, main_stream, opened_clip
from kornia_srgan.video.encode import Coding
from kornia_srgan.video.options import VideoOptions, is_sequence
from kornia_srgan.video.segments import Segment

_ANY_METADATA = "+use_metadata_tags"  # of MP4: keys that are not iTunes', but no place for a cover picture
_FORMATS = {".m4v": "mp4", ".mp4": "mp4", ".qt": "mov", ".mov": "mov"}
_PICTURES = {"mjpeg": ("image/jpeg", "jpg"), "png": ("image/png", "png")}
_ROUNDED = Fraction(1, 500)  # seconds
_SUBTITLES_OF_MP4 = ("mov_text", "dvdsub", "webvtt")
# Metadata that a container writes itself.
_OF_CONTAINERS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration"})


@dataclass(frozen=True)
class TimeSpan:
    """The part of a clip that is kept.

    Attributes:
        begin: The time of the first frame in the clip, in seconds.
        end: The end in seconds; None for the end of the clip.
        shift: Subtracted from all times; 0 if the whole clip is kept.
    """

    begin: Fraction
    end: Fraction | None
    shift: Fraction


def write_clip(
    target: Path, clip: Clip, coding: Coding, segments: Sequence[Segment], options: VideoOptions
) -> tuple[str, ...]:
    """Write the segments and the other streams of the clip to one file, atomically.

    Returns:
        Notes about what could not be kept, one sentence each.

    Raises:
        ImageError: If it cannot be written.
    """
    moments = [moment for segment in segments for moment in segment.moments]
    first = moments[0][0] * clip.time_base
    cut = options.start is not None and options.start > 0
    end = None if options.end is None else clip.begins + options.end
    span = TimeSpan(first, end, first if cut else Fraction(0))
    with replacing(target, ImageError) as temporary:
        try:
            notes = _write(temporary, target, clip, coding, segments, span, options)
        except KorniaSRGANError:
            raise
        except (OSError, ValueError) as error:
            raise ImageError(f"cannot write '{target}': {one_line(error)}", where=target) from error
        with located(target):
            notes += _compared(temporary, moments, clip, span)
    return tuple(notes)


def _write(
    temporary: Path,
    target: Path,
    clip: Clip,
    coding: Coding,
    segments: Sequence[Segment],
    span: TimeSpan,
    options: VideoOptions,
) -> list[str]:
    form = _FORMATS.get(target.suffix.lower())
    notes: list[str] = []
    plain = isinstance(clip.source, str | Path) and not is_sequence(clip.source)
    settings = (
        {"movflags": "+faststart" + ("" if plain and _has_cover(clip) else _ANY_METADATA)} if form else {}
    )
    settings |= options.container_options
    with av.open(str(temporary), "w", format=form, container_options=settings) as output:
        film = output.add_stream(coding.codec, rate=coding.rate, options=dict(coding.options))
        coding.apply(film.codec_context)
        film.time_base = coding.time_base
        video = _video(film, segments, coding, span)
        if not plain:
            output.start_encoding()
            for _, packet in video:
                output.mux(packet)
            return notes
        with opened_clip(clip.source, clip.label) as source:
            main = main_stream(source, clip.label)
            film.metadata.update(_own(main.metadata))
            film.disposition = main.disposition
            copies = _copies(source, main, output, clip, notes)
            output.metadata.update(_own(source.metadata))
            output.set_chapters(_chapters(source, span))
            output.start_encoding()
            for _, packet in heapq.merge(video, _others(source, copies, span), key=lambda timed: timed[0]):
                output.mux(packet)
    return notes


def _has_cover(clip: Clip) -> bool:
    with opened_clip(clip.source, clip.label) as source:
        return any(s.disposition & Disposition.attached_pic for s in source.streams)


def _cover(clip: Clip, index: int) -> bytes:
    with opened_clip(clip.source, clip.label) as source:
        return bytes(next(packet for packet in source.demux(source.streams[index]) if packet.size))


def _own(metadata: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in metadata.items() if k.lower() not in _OF_CONTAINERS}


def _copies(source: Any, main: Any, output: Any, clip: Clip, notes: list[str]) -> dict[int, Any]:
    """The copied streams, by their index in the source."""
    copies = {}
    for stream in source.streams:
        if stream.index == main.index:
            continue
        if stream.type == "data" and ("timecode" in stream.metadata or source.chapters()):
            continue  # QuickTime stores both in tracks, which are written anew
        try:
            made = _copied(stream, output, clip)
        except (OSError, ValueError):
            context = None if stream.type in ("data", "attachment") else stream.codec_context
            codec = "" if context is None else f" ({context.name})"
            kinds = {
                "audio": "sound",
                "subtitle": "subtitles",
                "video": "another video",
                "data": "a data track",
            }
            kind = kinds.get(stream.type, "an attachment")
            notes.append(f"left out: {kind}{codec}, not for {output.format.name}")
            continue
        if made is None:
            continue
        made.metadata.update(_own(stream.metadata))
        made.disposition = stream.disposition
        copies[stream.index] = made
    return copies


def _copied(stream: Any, output: Any, clip: Clip) -> Any:
    """Add an output stream for the packets of a source stream; None if it has no packets.

    Raises:
        ValueError: If the output format does not support it.
    """
    if stream.type == "attachment":
        if output.format.name != "matroska":
            raise ValueError("only Matroska has attachments")
        name = stream.name or stream.metadata.get("filename", "attachment")
        output.add_attachment(name, stream.mimetype or "application/octet-stream", bytes(stream.data))
        return None
    if stream.disposition & Disposition.attached_pic and output.format.name == "matroska":
        kind = _PICTURES.get(stream.codec_context.name)
        if kind is None:
            raise ValueError("players know covers of other kinds")
        output.add_attachment(f"cover.{kind[1]}", kind[0], _cover(clip, stream.index))
        return None
    if stream.type == "data":
        raise ValueError("no codec says how to write it")
    of_mp4 = stream.type == "subtitle" and output.format.name in ("mp4", "mov")
    if of_mp4 and stream.codec_context.name not in _SUBTITLES_OF_MP4:  # FFmpeg accepts it and then fails
        raise ValueError("MP4 has subtitles of its own kind")
    return output.add_stream_from_template(stream, opaque=True)


def _chapters(source: Any, span: TimeSpan) -> list[Any]:
    kept = []
    for chapter in source.chapters():
        base = Fraction(chapter["time_base"])
        start, end = (chapter[side] * base - span.shift for side in ("start", "end"))
        if span.end is not None:
            end = min(end, span.end - span.shift)
        start = max(start, Fraction(0)) if span.shift else start
        if end > start:
            kept.append({**chapter, "start": round(start / base), "end": round(end / base)})
    return kept


def _video(
    film: Any, segments: Sequence[Segment], coding: Coding, span: TimeSpan
) -> Iterator[tuple[Any, Any]]:
    """The packets of all segments, with increasing decoding times.

    Segments were encoded separately, so their decoding times overlap. They are computed anew: packet number k
    is decoded at the time at which frame number k is shown, minus the largest reordering delay.
    """
    moments = [moment for segment in segments for moment in segment.moments]
    times, durations = [pts for pts, _ in moments], dict(moments)
    order = {pts: number for number, pts in enumerate(times)}
    coded = [pts for segment in segments for pts, _, _ in segment.packets]
    depth = max(number - order[pts] for number, pts in enumerate(coded))
    step = durations[times[0]]
    shift = round(span.shift / coding.time_base)
    number = 0
    for segment in segments:
        for piece in segment.coded():
            packet = av.Packet(piece.data)
            early = number - depth
            packet.pts = piece.pts - shift
            packet.dts = (times[early] if early >= 0 else times[0] + early * step) - shift
            packet.duration, packet.time_base = durations[piece.pts], coding.time_base
            packet.is_keyframe, packet.stream = piece.key, film
            number += 1
            yield packet.dts * coding.time_base, packet


def _others(source: Any, copies: Mapping[int, Any], span: TimeSpan) -> Iterator[tuple[Any, Any]]:
    """The packets of the copied streams inside the span."""
    if not copies:
        return
    streams = [s for s in source.streams if s.index in copies]
    cover = {s.index for s in streams if s.disposition & Disposition.attached_pic}
    if span.shift:
        source.seek(int(span.begin * av.time_base), backward=True)
    pictured: set[int] = set()
    for packet in source.demux(*streams):
        index = packet.stream.index
        when = packet.pts if packet.pts is not None else packet.dts
        if packet.size == 0 or (index in cover and index in pictured):
            continue
        if index in cover:
            pictured.add(index)
        elif when is None:
            continue
        else:
            seconds = when * packet.time_base
            early = span.shift and seconds < span.begin
            if early or (span.end is not None and seconds >= span.end):
                continue
            ticks = round(span.shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - ticks
            packet.dts = None if packet.dts is None else packet.dts - ticks
        base = packet.time_base
        packet.stream = copies[index]
        yield ((packet.dts if packet.dts is not None else packet.pts) or 0) * base, packet


def _compared(result: Path, moments: Sequence[tuple[int, int]], clip: Clip, span: TimeSpan) -> list[str]:
    """Read the written file and note what it did not keep.

    Raises:
        ImageError: If frames are missing.
    """
    notes = []
    with opened_clip(result, result.name) as made:
        stream = main_stream(made, result.name)
        times = sorted(p.pts * p.time_base for p in made.demux(stream) if p.size and p.pts is not None)
        expected = [pts * clip.time_base - span.shift for pts, _ in moments]
        if len(times) != len(expected):
            raise ImageError(f"the file holds {len(times)} frames instead of {len(expected)}")
        later = times[0] - expected[0]
        off = max(abs(a - later - b) for a, b in zip(times, expected, strict=True))
        if abs(later) >= _ROUNDED:  # makes room for packets before time 0
            notes.append(f"all times, of sound too, are {_ms(later)} later in this kind of file")
        if off:
            notes.append(
                f"times of frames are rounded in this kind of file, by up to {_ms(off)}; .mp4 is exact"
            )
        kept = {key.lower() for key in made.metadata}
    if isinstance(clip.source, str | Path) and not is_sequence(clip.source):
        with opened_clip(clip.source, clip.label) as source:
            lost = [key for key in _own(source.metadata) if key.lower() not in kept]
        if lost:
            notes.append(f"left out: metadata that this container cannot store: {', '.join(lost)}")
    return notes


def _ms(seconds: Fraction) -> str:
    return f"{float(seconds) * 1000:.2g} ms"
