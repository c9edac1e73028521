"""Pictures for the screen: before and after, of one size, in sRGB."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms

from kornia_srgan.evaluation.pictures import detailed_window
from kornia_srgan.photos.photo import Photo, Pixels, white_of

LONGEST = 2048
"""Of the whole picture, in pixels; larger results are reduced for the screen."""
DETAIL = (880, 580)
"""Width and height of the part that is shown pixel for pixel."""

_SEARCHED = 320  # the detail is looked for in a picture of this size
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class BeforeAfter:
    """Two picture files of one size.

    Attributes:
        before: The photograph, enlarged by bicubic interpolation.
        after: The result.
    """

    before: Path
    after: Path


def make_pairs(before: Photo, after: Photo, folder: Path) -> tuple[BeforeAfter, BeforeAfter, bool]:
    """The whole picture, its part with the most fine detail, and whether the whole had to be reduced."""
    large = _shown(after, (0, 0, after.width, after.height), LONGEST)
    small = _shown(before, (0, 0, before.width, before.height), LONGEST)
    whole = _write(small.resize(large.size, Image.Resampling.BICUBIC), large, folder, "whole")
    box = _detail_box(small, after.width, after.height)
    across, down = before.width / after.width, before.height / after.height
    source = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
    part = _shown(after, box, LONGEST)
    detail = _write(_enlarged_part(before, source, part.size), part, folder, "detail")
    return whole, detail, max(after.width, after.height) > LONGEST


def _detail_box(picture: Image.Image, width: int, height: int) -> Box:
    """Of a result of `width` x `height`, around the window of the small picture with the most detail."""
    small = picture.convert("RGB")
    small.thumbnail((_SEARCHED, _SEARCHED))
    values = torch.from_numpy(np.array(small)).movedim(-1, 0)[None]
    ratio = width / small.width
    window = detailed_window(values, max(1, min(round(DETAIL[1] / ratio), *small.size)))
    x, y = ratio * (window.left + window.width / 2), ratio * (window.top + window.height / 2)
    w, h = min(DETAIL[0], width), min(DETAIL[1], height)
    left = int(min(max(0, x - w / 2), width - w))
    top = int(min(max(0, y - h / 2), height - h))
    return left, top, left + w, top + h


def _enlarged_part(photo: Photo, box: Box, size: tuple[int, int]) -> Image.Image:
    """A part of the photograph with fractional edges, as large as the result's."""
    left, top = max(0, int(box[0]) - 2), max(0, int(box[1]) - 2)
    around = (left, top, min(photo.width, int(box[2]) + 3), min(photo.height, int(box[3]) + 3))
    picture = _shown(photo, around, 10 * LONGEST)
    inner = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    return picture.resize(size, Image.Resampling.BICUBIC, box=inner)


def _shown(photo: Photo, box: Box, longest: int) -> Image.Image:
    """A part of the first frame as sRGB, with its transparency, reduced by a whole number until it fits."""
    frame = photo.frames[0]
    left, top, right, bottom = (int(edge) for edge in box)
    factor = -(-max(right - left, bottom - top) // longest)
    window = (slice(top, bottom), slice(left, right))
    pixels = _bytes(frame.pixels[window], factor)
    picture = _srgb(pixels, photo)
    if frame.alpha is not None:
        picture.putalpha(_image(_bytes(frame.alpha[window], factor), "L"))
    return picture


def _bytes(pixels: Pixels, factor: int) -> Pixels:
    """The means of `factor` x `factor` pixels as eight bits, some rows at a time."""
    down, across = min(factor, len(pixels)), min(factor, pixels.shape[1])
    rows, columns = len(pixels) // down, pixels.shape[1] // across
    result = np.empty((rows, columns, pixels.shape[2]), np.uint8)
    step = 256
    for start in range(0, rows, step):
        band = pixels[start * down : min(rows, start + step) * down, : columns * across]
        if factor > 1:
            band = band.reshape(-1, down, columns, across, band.shape[-1]).mean((1, 3), np.float32)
        result[start : start + step] = band * (255 / white_of(pixels.dtype)) + 0.5
    return result


def _srgb(pixels: Pixels, photo: Photo) -> Image.Image:
    image = _image(pixels, photo.space)
    if photo.metadata.icc is not None:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(photo.metadata.icc))
            srgb = ImageCms.createProfile("sRGB")
            shown = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            shown = None  # a profile that is damaged or of another space: shown as if there were none
        if shown is not None:
            return shown
    return image.convert("RGB")


def _image(pixels: Pixels, mode: str) -> Image.Image:
    size = (pixels.shape[1], pixels.shape[0])
    return Image.frombuffer(mode, size, np.ascontiguousarray(pixels), "raw", mode, 0, 1)


def _on_checks(picture: Image.Image) -> Image.Image:
    """What is transparent shows a chequered ground, as in image editors."""
    if picture.mode != "RGBA":
        return picture
    rows, columns = np.indices((picture.height, picture.width), np.int32, sparse=True)
    light = ((rows // 12 + columns // 12) % 2 == 0)[..., None]
    ground = _image(np.where(light, np.uint8(255), np.uint8(204)).repeat(3, -1), "RGB")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def _write(before: Image.Image, after: Image.Image, folder: Path, name: str) -> BeforeAfter:
    shown = folder / "shown"  # apart from the result, whose name is the user's
    shown.mkdir(parents=True, exist_ok=True)
    pair = BeforeAfter(shown / f"{name}-before.webp", shown / f"{name}-after.webp")
    for image, path in ((before, pair.before), (after, pair.after)):
        _on_checks(image).save(path, "WEBP", quality=92, method=2)
    return pair
