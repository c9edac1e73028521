"""Between the values of video frames and RGB: matrix and range as the clip's tags say, both ways the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.photo import Pixels
from kornia_srgan.video.siting import marked

UNKNOWN = 2  # in ITU-T H.273, as all numbers here
PQ, HLG = 16, 18
_BT709, _SRGB, _BT2020 = 1, 13, 9
_RGB = 0
# Luma's share of red and blue, and swscale's name, by matrix (H.273, table 4).
_MATRICES = {
    1: (0.2126, 0.0722, Colorspace.ITU709),
    4: (0.30, 0.11, Colorspace.FCC),
    5: (0.299, 0.114, Colorspace.ITU601),
    6: (0.299, 0.114, Colorspace.ITU601),
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
    """What a clip says of its colours, in the numbers of ITU-T H.273.

    Attributes:
        primaries: What red, green and blue are.
        transfer: The curve.
        matrix: Between RGB and luma with chroma.
        full: Black is 0 and white the highest value, instead of 16 and 235 of 255.
    """

    primaries: int
    transfer: int
    matrix: int
    full: bool

    @property
    def hdr(self) -> bool:
        """Whether the curve is PQ or HLG."""
        return self.transfer in (PQ, HLG)


def complete(tags: Tags, height: int, width: int) -> tuple[Tags, str]:
    """The tags with what is missing as players guess it, and a sentence where something was.

    Without it a small clip, which players take for BT.601, would be taken for BT.709 once it is large.

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
    """How pictures in RGB are stored in a video: BT.709's matrix, sRGB's curve unless they say another."""
    transfer = _SRGB if tags.transfer == UNKNOWN else tags.transfer
    primaries = _BT709 if tags.primaries == UNKNOWN else tags.primaries
    return Tags(primaries, transfer, _BT2020 if primaries == _BT2020 else _BT709, False)


def to_rgb(frame: Any, tags: Tags) -> Pixels:
    """A decoded frame as `(H, W, 3)`: `uint8`, or `uint16` where it has more than 8 bits."""
    deep = depth_of(frame.format) > 8
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
    # In swscale's RGB of 16 bits white is 65283, so the matrix is ours. One range on both sides: a shift.
    depth = depth_of(frame.format)
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
    """A frame of a pixel format from `(H, W, 3)`, `uint8` or `uint16`.

    Where there are fewer samples of colour, they lie to the left, as players take it.
    """
    form = av.VideoFormat(pixel_format, 16, 16)
    deep = depth_of(form) > 8
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
        frame = marked(av.VideoFrame.from_ndarray(pixels, format="rgb24")).reformat(
            format=pixel_format,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=_FULL,
            dst_color_range=span,
            interpolation=_CAREFUL,
        )
    else:
        depth = depth_of(form)
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
        frame = marked(wide).reformat(
            format=pixel_format,
            src_color_range=_LIMITED,
            dst_color_range=_LIMITED,
            interpolation=_CAREFUL,
        )
    return frame


def in_8_bits(pixels: Pixels) -> Pixels:
    """`uint16` as `uint8`, rounded: the same as division by 257 (tested for all values), and faster."""
    return ((pixels.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)


def depth_of(form: Any) -> int:
    """Bits of a component of a pixel format."""
    return max((component.bits for component in form.components), default=8)


def _levels(bits: int, full: bool, depth: int) -> tuple[float, float, float, float]:
    """Black, the span to white, no colour, its span, for values of `depth` bits at the top of `bits`."""
    shift = float(2 ** (bits - depth))
    step = 2 ** (depth - 8)
    if full:
        return 0.0, shift * (2**depth - 1), shift * 128 * step, shift * (2**depth - 1)
    return shift * 16 * step, shift * 219 * step, shift * 128 * step, shift * 224 * step
