"""Chooses the encoder of a video and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.codec.context import Flags

from kornia_srgan.errors import ArgumentError, ImageError
from kornia_srgan.explain import one_line
from kornia_srgan.photos.photo import Pixels
from kornia_srgan.video.clip import Clip
from kornia_srgan.video.colour import Tags, component_depth, from_rgb
from kornia_srgan.video.hdr import Light
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.siting import LEFT

_H264_LARGEST = 4096  # pixels on a side; players decode no larger H.264
# Good settings: no visible loss. The network takes longer than these encoders.
_GOOD = {
    "libx264": {"crf": "16", "preset": "medium"},
    "libx265": {"crf": "18", "preset": "medium"},
    "libsvtav1": {"crf": "20", "preset": "6"},
    "libvpx-vp9": {"crf": "20", "b": "0", "row-mt": "1", "cpu-used": "3", "deadline": "good"},
    "prores_ks": {"profile": "3", "vendor": "apl0"},
    "ffv1": {"level": "3", "slicecrc": "1"},
}
_ALIASES = {
    "h264": "libx264", "avc": "libx264", "x264": "libx264", "h265": "libx265", "hevc": "libx265",
    "x265": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9", "prores": "prores_ks",
}  # fmt: skip
_WEBM = ("libvpx-vp9", "libsvtav1")


@dataclass(frozen=True)
class Coding:
    """The encoder of a result and its settings.

    Attributes:
        codec: FFmpeg's name of the encoder.
        options: The encoder's own options.
        width: Width of the result, in pixels.
        height: Height of the result, in pixels.
        pixel_format: FFmpeg's name of the pixel format.
        tags: The colour tags of the result.
        aspect: Width over height of one pixel.
        time_base: Seconds of one tick, the unit of frames' times.
        rate: Mean frames a second.
        notes: What is not kept, one sentence each.
    """

    codec: str
    options: dict[str, str]
    width: int
    height: int
    pixel_format: str
    tags: Tags
    aspect: Fraction
    time_base: Fraction
    rate: Fraction
    notes: tuple[str, ...] = ()

    def context(self) -> Any:
        """Open a new encoder, PyAV's codec context.

        Raises:
            ImageError: If the encoder refuses this size, pixel format or options.
        """
        context = av.CodecContext.create(self.codec, "w")
        self.apply(context)
        context.flags |= Flags.global_header
        try:
            context.open()
        except (OSError, ValueError) as error:
            raise ImageError(
                f"{self.codec} cannot encode {self.width}x{self.height} as {self.pixel_format}: "
                f"{one_line(error)}",
                where="codec",
            ) from error
        return context

    def apply(self, context: Any) -> None:
        """Apply the settings to PyAV's codec context.

        The encoder only counts frames. Packets get the true times afterwards.
        """
        context.width, context.height, context.pix_fmt = self.width, self.height, self.pixel_format
        context.time_base, context.framerate = 1 / self.rate, self.rate
        context.sample_aspect_ratio = self.aspect
        context.color_primaries, context.color_trc = self.tags.primaries, self.tags.transfer
        context.colorspace, context.color_range = self.tags.matrix, 2 if self.tags.full else 1
        context.options = {"chroma_sample_location": LEFT, **self.options}

    def frame(self, pixels: Pixels, number: int) -> Any:
        """Convert RGB to a frame for the encoder.

        Args:
            pixels: `(H, W, 3)`, uint8 or uint16.
            number: The number of the frame in its segment, from 0.
        """
        frame = from_rgb(pixels, self.tags, self.pixel_format)
        frame.pts, frame.time_base, frame.duration = number, 1 / self.rate, 1
        frame.colorspace, frame.color_range = self.tags.matrix, 2 if self.tags.full else 1
        frame.color_primaries, frame.color_trc = self.tags.primaries, self.tags.transfer
        return frame


def coding_for(clip: Clip, size: tuple[int, int], options: VideoOptions, target: Path) -> Coding:
    """Choose the encoder of a clip's result, and its settings.

    Args:
        clip: The clip.
        size: Height and width of the result, in pixels.
        options: The user's options.
        target: The file to write. Its suffix decides, because WebM takes other encoders than MP4.

    Raises:
        ArgumentError: If there is no such encoder, or it cannot take the pixel format or `crf`.
    """
    height, width = size
    name = options.codec or _usual(clip, size, target)
    name = _ALIASES.get(name.lower(), name)
    try:
        codec = av.Codec(name, "w")
    except ValueError as error:
        raise ArgumentError(
            f"there is no encoder '{name}'; try h264, hevc, av1, vp9, prores or ffv1", where="codec"
        ) from error
    if codec.type != "video":
        raise ArgumentError(
            f"'{name}' does not encode video; try h264, hevc, av1, vp9, prores or ffv1", where="codec"
        )
    formats = [form.name for form in codec.video_formats or ()]
    wanted = options.pixel_format
    if wanted is not None and formats and wanted not in formats:
        raise ArgumentError(f"{name} takes no {wanted}; it takes {', '.join(formats)}", where="pixel_format")
    pixel_format = wanted or _nearest(clip, formats)
    tags = clip.tags
    form = av.VideoFormat(pixel_format, 16, 16)
    if form.is_rgb:
        tags = Tags(tags.primaries, tags.transfer, 0, True)
    settings = dict(_GOOD.get(name, {}))
    if options.crf is not None:
        if name in _GOOD and "crf" not in settings:
            raise ArgumentError(f"{name} has no --crf; its quality is set by --encoder-option", where="crf")
        settings["crf"] = f"{options.crf:g}"
    if options.preset is not None:
        settings["preset"] = options.preset
    settings.update(options.encoder_options)
    if name == "libx265":
        settings["x265-params"] = _x265(settings.get("x265-params", ""), clip.light)
    notes = _losses(clip, form, name)
    return Coding(
        name, settings, width, height, pixel_format, tags, clip.aspect, clip.time_base, clip.rate, notes
    )


def _usual(clip: Clip, size: tuple[int, int], target: Path) -> str:
    if target.suffix.lower() == ".webm":
        return _WEBM[0]
    return "libx265" if clip.depth > 8 or clip.tags.hdr or max(size) > _H264_LARGEST else "libx264"


def _nearest(clip: Clip, formats: Sequence[str]) -> str:
    """The encoder's pixel format that loses least: first of the depth, then of the chroma resolution."""
    own = av.VideoFormat(clip.pixel_format, 16, 16)
    plain = [f for f in formats if not f.startswith(("yuvj", "nv"))] or ["yuv420p"]
    rich = not own.is_rgb and len(own.components) > 2
    chroma = (own.chroma_width(), own.chroma_height()) if rich else (8, 8)  # players want 4:2:0

    def loss(name: str) -> tuple[int, ...]:
        form = av.VideoFormat(name, 16, 16)
        if form.is_rgb or len(form.components) < 3 or any(c.is_alpha for c in form.components):
            return (9, 0, 0, 0)
        depth = component_depth(form)
        width, height = form.chroma_width(), form.chroma_height()
        coarser = (width < chroma[0]) + (height < chroma[1])
        return (max(0, min(clip.depth, 12) - depth), coarser, depth, width * height)

    return min(plain, key=loss)


def _losses(clip: Clip, form: Any, codec: str) -> tuple[str, ...]:
    notes = []
    own = av.VideoFormat(clip.pixel_format, 16, 16)
    depth = component_depth(form)
    if depth < clip.depth:
        notes.append(f"{clip.depth} bits become {depth}")
    if clip.tags.hdr and depth < 10:
        notes.append("HDR in 8 bits shows steps; --codec hevc has 10")
    finer = own.is_rgb or (len(own.components) > 2 and own.chroma_width() > form.chroma_width())
    if finer and not form.is_rgb and form.chroma_width() < 16:
        notes.append("colour is stored at half resolution; --pixel-format yuv444p keeps all of it")
    if clip.light and codec != "libx265":
        notes.append(
            f"left out: the brightness of HDR (mastering display, MaxCLL), which {codec} does not take"
        )
    return tuple(notes)


def _x265(given: str, light: Light) -> str:
    parts = ["log-level=error", *([given] if given else [])]
    if light.mastering:
        parts.append(f"master-display={light.mastering}")
    if light.content:
        parts.append(f"max-cll={light.content}")
    return ":".join([*parts, *(["hdr10=1", "repeat-headers=1"] if light else [])])
