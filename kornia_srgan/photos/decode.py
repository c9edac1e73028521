"""From a picture file to a `Photo`: every mode in its own depth, upright, with all that the file says."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.deep import check_size, deep_frames, is_deep, tiff_frames
from kornia_srgan.photos.header import TIFF_MAGIC, frame_count, open_image
from kornia_srgan.photos.metadata import read_metadata, read_tiff_metadata
from kornia_srgan.photos.photo import CHANNELS, Frame, Photo, Pixels, Space

MAX_PIXELS = 100_000_000
"""More than this, in all frames together, is taken for a decompression bomb unless the caller raises it."""

_ANIMATED = {"GIF", "PNG", "WEBP", "AVIF"}


def read_photo(source: str | Path | bytes, *, max_pixels: int = MAX_PIXELS, name: str = "") -> Photo:
    """Decode a picture file.

    Args:
        source: A path, or the file's bytes.
        max_pixels: Refuse a picture with more, before its pixels are decoded.
        name: What to call bytes in messages.

    Raises:
        ImageError: If it cannot be read, is no picture, is damaged, or is larger than `max_pixels`.
    """
    label = name or (str(source) if not isinstance(source, bytes) else "the input")
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read '{label}': {error.strerror or error}") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters about a damaged file is in the note or the error
        try:
            return _decode(data, max_pixels)
        except ImageError as error:
            raise ImageError(f"cannot read '{label}': {error}") from error
        except MemoryError as error:
            raise ImageError(f"cannot read '{label}': not enough memory to decode it") from error
        except Exception as error:  # decoders raise anything on damaged input
            raise ImageError(f"cannot read '{label}': {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is not a picture in any known format"
    text = (str(error).strip() or "no reason given").splitlines()[0]
    return f"the file is damaged ({type(error).__name__}: {text[:120]})"


def _decode(data: bytes, max_pixels: int) -> Photo:
    if not data:
        raise ImageError("the file is empty")
    try:
        image = open_image(data)
    except Image.UnidentifiedImageError:
        if not data.startswith(TIFF_MAGIC):
            raise
        return _decode_tiff(data, max_pixels)
    with image:
        count = frame_count(image)
        check_size(image.width * image.height * count, max_pixels)
        deep = is_deep(data, image)
        if deep:
            space, frames = deep_frames(data, image, max_pixels)
        else:
            frames, space = _all_frames(image, count, max_pixels)
            image.seek(0)
            image.load()
        if image.format == "TIFF":
            metadata, orientation, notes = read_tiff_metadata(data)
            orientation = orientation if deep else 1  # Pillow turns a TIFF itself when it loads the pixels
        else:
            metadata, orientation, notes = read_metadata(image)
        animated = count > 1 and image.format in _ANIMATED
        # Pillow does not tell how often an AVIF repeats; browsers repeat it for ever.
        loop = image.info.get("loop", 0 if image.format == "AVIF" else None)
        frames = [_upright(frame, orientation) for frame in frames]
        _check_frames(frames, space)
        return Photo(frames, space, image.format or "", metadata, animated, loop, notes)


def _decode_tiff(data: bytes, max_pixels: int) -> Photo:
    """A TIFF of a kind that Pillow does not know."""
    space, frames = tiff_frames(data, max_pixels)
    metadata, orientation, notes = read_tiff_metadata(data)
    frames = [_upright(f, orientation) for f in frames]
    _check_frames(frames, space)
    return Photo(frames, space, "TIFF", metadata, notes=notes)


def _check_frames(frames: Sequence[Frame], space: Space) -> None:
    """Decoders give odd shapes for some damaged files."""
    for frame in frames:
        shape = frame.pixels.shape
        if len(shape) != 3 or 0 in shape or shape[2] != CHANNELS[space]:
            raise ImageError(f"the file is damaged (its pixels come as {shape})")
        if frame.alpha is not None and frame.alpha.shape != (*shape[:2], 1):
            raise ImageError(f"the file is damaged (its transparency comes as {frame.alpha.shape})")


def _all_frames(image: Image.Image, count: int, max_pixels: int) -> tuple[list[Frame], Space]:
    found: list[tuple[Frame, Space]] = []
    for index in _indices(image, count):
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
    if any(f.alpha is not None for f in frames):
        frames = [Frame(f.pixels, _or_opaque(f), f.duration) for f in frames]
    return frames, found[0][1]


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
    white = 1 if frame.pixels.dtype.kind == "f" else np.iinfo(frame.pixels.dtype).max
    return np.full((*frame.pixels.shape[:2], 1), white, frame.pixels.dtype)


def from_pil(image: Image.Image) -> tuple[Frame, Space]:
    """The pixels of a Pillow image in their own depth, alpha apart, and the space that they are in.

    Raises:
        ImageError: If the mode has no known white (32-bit integers, floating point outside [0, 1]).
    """
    image = _plain_mode(image)
    pixels = np.array(image)
    pixels = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
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


def _plain_mode(image: Image.Image) -> Image.Image:
    """One of L, LA, RGB, RGBA, CMYK, I;16, F, with nothing lost."""
    transparent = image.has_transparency_data
    match image.mode:
        case "L" | "1" | "La" | "LA":
            return image.convert("LA" if transparent else "L")
        case "I;16" | "I;16L" | "I;16B" | "I;16N" | "F" | "CMYK":
            return image
        case "I":
            raise ImageError("its 32-bit integers have no known white; convert it to 16 bits first")
        case "LAB":
            lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
            return converted if converted is not None else image
        case _:
            return image.convert("RGBA" if transparent else "RGB")


def _upright(frame: Frame, orientation: int) -> Frame:
    if orientation == 1:
        return frame
    alpha = None if frame.alpha is None else _turned(frame.alpha, orientation)
    return Frame(_turned(frame.pixels, orientation), alpha, frame.duration)


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
