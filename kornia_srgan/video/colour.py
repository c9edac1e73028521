"""Converts video frames to RGB and back. Both ways use the matrix and the range in the clip's tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from kornia_srgan.errors import ImageError
from kornia_srgan.ops.luma import BT601, BT709
from kornia_srgan.photos.photo import Pixels
from kornia_srgan.video.siting import with_siting

# All numbers are those of ITU-T H.273.
UNKNOWN = 2
PQ, HLG = 16, 18
_BT709, _SRGB, _BT2020 = 1, 13, 9
_RGB = 0
# By matrix (H.273, table 4): the weights of red and blue in luma, and swscale's name.
_MATRICES = {
    1: (BT709[0], BT709[2], Colorspace.ITU709),
    4: (0.30, 0.11, Colorspace.FCC),
    5: (BT601[0], BT601[2], Colorspace.ITU601),
    6: (BT601[0], BT601[2], Colorspace.ITU601),
    7: (0.212, 0.087, Colorspace.SMPTE240M),
    9: (0.2627, 0.0593, Colorspace.BT2020),
}
_NAMES = {8: "YCgCo", 10: "BT.2020 constant luminance", 11: "SMPTE 2085", 14: "ICtCp", 15: "IPT-C2"}
_LIMITED, _FULL = 1, 2
_CAREFUL = int(
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)


@dataclass(frozen=True)
class Tags:
    """The colour tags of a clip. Numbers are those of ITU-T H.273.

    Attributes:
        primaries: Which red, green and blue are meant.
        transfer: The transfer curve.
        matrix: The matrix between RGB and YCbCr.
        full: Whether the range is full: black is 0 and white the highest value. In the limited range, black
            is 16 and white 235, of 255.
    """

    primaries: int
    transfer: int
    matrix: int
    full: bool

    @property
    def hdr(self) -> bool:
        """Whether the curve is PQ or HLG."""
        return self.transfer in (PQ, HLG)


def complete_tags(tags: Tags, height: int, width: int) -> tuple[Tags, str]:
    """Fill in missing tags, as players do.

    Players guess by the size: BT.601 for small clips, BT.709 for large ones. An enlarged clip without tags
    would thus be shown in other colours.

    Args:
        tags: The clip's own tags.
        height: Height of the clip before it is enlarged, in pixels.
        width: Its width.

    Returns:
        The complete tags, and a note; the note is empty if the matrix was known.

    Raises:
        ImageError: If the matrix is one that is not supported.
    """
    if tags.matrix == UNKNOWN and tags.primaries == _BT2020:
        guess = _BT2020
    elif tags.matrix in (UNKNOWN, _RGB):
        guess = _BT709 if height >= 720 or width >= 1280 else 5 if height in (288, 576) else 6
    else:
        guess = tags.matrix
    if guess not in _MATRICES:
        name = _NAMES.get(guess, f"number {guess}")
        raise ImageError(f"its colours are stored as {name}, which is not supported; convert it to BT.709")
    known = guess if guess in (1, 5, 6, 9) else _BT709
    curve = {1: 1, 5: 6, 6: 6, 9: 14}[known]
    whole = Tags(
        known if tags.primaries == UNKNOWN else tags.primaries,
        curve if tags.transfer == UNKNOWN else tags.transfer,
        guess,
        tags.full,
    )
    if tags.matrix not in (UNKNOWN, _RGB):
        return whole, ""
    standard = {1: "BT.709", 9: "BT.2020"}.get(guess, "BT.601")
    return whole, f"it does not say how its colours are stored: taken as {standard}, and marked so"


def for_rgb(tags: Tags) -> Tags:
    """The tags with which RGB pictures are stored in a video, in the limited range.

    The primaries and the curve stay if the pictures state them; else they are those of BT.709 and sRGB. The
    matrix is BT.2020's for the primaries of BT.2020, else BT.709's.
    """
    transfer = _SRGB if tags.transfer == UNKNOWN else tags.transfer
    primaries = _BT709 if tags.primaries == UNKNOWN else tags.primaries
    return Tags(primaries, transfer, _BT2020 if primaries == _BT2020 else _BT709, False)


def to_rgb(frame: Any, tags: Tags) -> Pixels:
    """Convert a decoded frame to RGB.

    Args:
        frame: PyAV's frame.
        tags: The clip's complete tags.

    Returns:
        `(H, W, 3)`, uint8, or uint16 if the frame has more than 8 bits; full range.
    """
    deep = component_depth(frame.format) > 8
    if frame.format.is_rgb:
        return frame.reformat(format="rgb48le" if deep else "rgb24").to_ndarray()
    red, blue, matrix = _MATRICES[tags.matrix]
    span = _FULL if tags.full else _LIMITED
    if not deep:
        return frame.reformat(
            format="rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=span,
            dst_color_range=_FULL,
            interpolation=_CAREFUL,
        ).to_ndarray()
    # White would be 65283 in swscale's 16-bit RGB, so we apply the matrix. The range is the same on both
    # sides of swscale's step: it only shifts bits.
    depth = component_depth(frame.format)
    wide = frame.reformat(
        format="yuv444p16le", src_color_range=_LIMITED, dst_color_range=_LIMITED, interpolation=_CAREFUL
    )
    luma, cb, cr = np.moveaxis(wide.to_ndarray(channel_last=True).astype(np.float32), -1, 0)
    low, span_y, middle, span_c = _levels(16, tags.full, depth)
    y, u, v = (luma - low) / span_y, (cb - middle) / span_c, (cr - middle) / span_c
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    rgb = np.stack([r, g, b], axis=-1)
    return np.rint(rgb.clip(0, 1) * 65535).astype(np.uint16)


def from_rgb(pixels: Pixels, tags: Tags, pixel_format: str) -> Any:
    """Convert RGB to a frame of a pixel format.

    Chroma samples of formats with fewer of them lie to the left, as players expect.

    Args:
        pixels: `(H, W, 3)`, uint8 or uint16, full range; converted to the depth of the format.
        tags: The tags of the result.
        pixel_format: FFmpeg's name of the format.

    Returns:
        PyAV's frame.
    """
    form = av.VideoFormat(pixel_format, 16, 16)
    deep = component_depth(form) > 8
    if pixels.dtype == np.uint16 and not deep:
        pixels = in_8_bits(pixels)
    elif pixels.dtype == np.uint8 and deep:
        pixels = pixels.astype(np.uint16) * 257
    if form.is_rgb:
        source = av.VideoFrame.from_ndarray(pixels, format="rgb48le" if deep else "rgb24")
        return source.reformat(format=pixel_format)
    red, blue, matrix = _MATRICES[tags.matrix]
    span = _FULL if tags.full else _LIMITED
    if not deep:
        frame = with_siting(av.VideoFrame.from_ndarray(pixels, format="rgb24")).reformat(
            format=pixel_format,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=_FULL,
            dst_color_range=span,
            interpolation=_CAREFUL,
        )
    else:
        depth = component_depth(form)
        r, g, b = np.moveaxis(pixels.astype(np.float32) / 65535, -1, 0)
        y = red * r + (1 - red - blue) * g + blue * b
        low, span_y, middle, span_c = _levels(depth, tags.full, depth)
        top = 2**depth - 1
        planes = np.stack(
            [
                y * span_y + low,
                (b - y) / (2 * (1 - blue)) * span_c + middle,
                (r - y) / (2 * (1 - red)) * span_c + middle,
            ]
        )
        whole = (np.rint(planes).clip(0, top) * 2 ** (16 - depth)).astype(np.uint16)
        wide = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(np.moveaxis(whole, 0, -1)), format="yuv444p16le", channel_last=True
        )
        frame = with_siting(wide).reformat(
            format=pixel_format,
            src_color_range=_LIMITED,
            dst_color_range=_LIMITED,
            interpolation=_CAREFUL,
        )
    return frame


def in_8_bits(pixels: Pixels) -> Pixels:
    """Round uint16 to uint8. For every value this equals division by 257, but is faster."""
    return ((pixels.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)


def component_depth(form: Any) -> int:
    """Bits of the deepest component of PyAV's pixel format; 8 if it has none."""
    return max((component.bits for component in form.components), default=8)


def _levels(bits: int, full: bool, depth: int) -> tuple[float, float, float, float]:
    """How values lie within integers: luma's black and span, chroma's middle and span.

    Args:
        bits: Bits of the integers.
        full: Whether the range is full.
        depth: Bits of the values, which fill the upper bits of the integers.
    """
    shift = float(2 ** (bits - depth))
    step = 2 ** (depth - 8)
    if full:
        return 0.0, shift * (2**depth - 1), shift * 128 * step, shift * (2**depth - 1)
    return shift * 16 * step, shift * 219 * step, shift * 128 * step, shift * 224 * step
