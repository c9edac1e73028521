"""From Pillow's images to frames: every mode in its own depth, all frames or pages that count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageCms

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.header import check_size
from kornia_srgan.photos.photo import Frame, Pixels, Space, white_of

_BLOCK = 2**18  # pixels


@dataclass(frozen=True)
class Decoded:
    """A picture that was not decoded by Pillow; upright already.

    Attributes:
        frame: The picture.
        space: Of its values.
        image: A Pillow image whose `info` holds the metadata; None where there is none.
        notes: What is not kept.
    """

    frame: Frame
    space: Space
    image: Image.Image | None = None
    notes: tuple[str, ...] = ()


def all_frames(image: Image.Image, count: int, max_pixels: int) -> tuple[list[Frame], Space]:
    """The frames or pages of a file that Pillow opened.

    Args:
        image: The file.
        count: How many it has.
        max_pixels: Refuse a larger one.

    Raises:
        ImageError: If one is too large, or they are in different colour spaces.
    """
    found: list[tuple[Frame, Space]] = []
    for index in _indices(image, count):
        if count > 1:  # a Photoshop file counts its layers, and its first picture is none of them
            image.seek(index)
        check_size(image.width * image.height, max_pixels)
        image.load()
        found.append(from_pil(image))
    spaces = {space for _, space in found}
    if len(spaces) > 1:
        raise ImageError(
            f"its pages are in different colour spaces ({', '.join(sorted(spaces))}); split it first"
        )
    frames = [frame for frame, _ in found]
    if image.format != "TIFF":  # whose pages may differ
        frames = _on_one_canvas(frames)
    if any(f.alpha is not None for f in frames):
        frames = [Frame(f.pixels, _or_opaque(f), f.duration) for f in frames]
    return frames, found[0][1]


def _on_one_canvas(frames: list[Frame]) -> list[Frame]:
    """Frames of an animation in the size of the largest: some GIFs grow on the way, as browsers show them."""
    height = max(frame.pixels.shape[0] for frame in frames)
    width = max(frame.pixels.shape[1] for frame in frames)
    if all(frame.pixels.shape[:2] == (height, width) for frame in frames):
        return frames

    def grown(pixels: Pixels) -> Pixels:
        return np.pad(pixels, ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0)))

    return [Frame(grown(frame.pixels), grown(_or_opaque(frame)), frame.duration) for frame in frames]


def _indices(image: Image.Image, count: int) -> Iterator[int]:
    """The frames that count: an animated PNG's fall-back picture and a TIFF's thumbnails do not."""
    for index in range(count):
        if index == 0 and count > 1 and image.info.get("default_image"):
            continue
        if image.format == "TIFF" and index > 0:
            image.seek(index)
            if getattr(image, "tag_v2", {}).get(254, 0) & 1:  # NewSubfileType: a reduced picture
                continue
        yield index


def _or_opaque(frame: Frame) -> Pixels:
    if frame.alpha is not None:
        return frame.alpha
    dtype = frame.pixels.dtype
    return np.full((*frame.pixels.shape[:2], 1), white_of(dtype), dtype)


def from_pil(image: Image.Image) -> tuple[Frame, Space]:
    """The pixels of a Pillow image in their own depth, alpha apart, and the space that they are in.

    Raises:
        ImageError: If the mode has no known white (32-bit integers, floating point outside [0, 1]).
    """
    image = _plain_mode(image)
    pixels = _pixels_of(image)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    duration = float(image.info.get("duration", 0) or 0)
    if image.mode == "F" and not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
        raise ImageError("its floating-point values are not all in [0, 1]; scale them first")
    if image.mode in ("LA", "RGBA"):
        colour, alpha = np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1:])
        return Frame(colour, alpha, duration), "L" if image.mode == "LA" else "RGB"
    space: Space = "CMYK" if image.mode == "CMYK" else "RGB" if image.mode == "RGB" else "L"
    return Frame(pixels, None, duration), space


def _pixels_of(image: Image.Image) -> Pixels:
    """The pixels of a Pillow image, copied in blocks of rows: for a whole one it makes two copies more."""
    width, height = image.size
    rows = max(1, _BLOCK // width)
    kind = np.asarray(image.crop((0, 0, 1, 1)))
    pixels = np.empty((height, width, *kind.shape[2:]), kind.dtype.newbyteorder("="))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return pixels


def _plain_mode(image: Image.Image) -> Image.Image:
    """One of L, LA, RGB, RGBA, CMYK, I;16, F, with nothing lost."""
    transparent = image.has_transparency_data
    match image.mode:
        case "1" if image.format == "XBM":  # ink on paper; Pillow shows light on a dark screen
            return ImageChops.invert(image.convert("L"))
        case "L" | "1" | "La" | "LA":
            return _converted(image, "LA" if transparent else "L")
        case "I;16" | "I;16L" | "I;16B" | "I;16N" | "F" | "CMYK":
            return image
        case "I":
            raise ImageError("its 32-bit integers have no known white level; convert it to 16 bits first")
        case "LAB":
            lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
            return converted if converted is not None else image
        case _:
            return _converted(image, "RGBA" if transparent else "RGB")


def _converted(image: Image.Image, mode: str) -> Image.Image:
    """In a mode; Pillow would copy one that is in it already."""
    return image if image.mode == mode else image.convert(mode)
