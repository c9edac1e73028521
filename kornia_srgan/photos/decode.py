"""Decodes a picture file to a `Photo`: in its own mode and depth, upright, with its metadata."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from kornia_srgan.environment import require_extra
from kornia_srgan.errors import ImageError
from kornia_srgan.photos.c_messages import damage_note
from kornia_srgan.photos.chunks import jpeg_frame
from kornia_srgan.photos.colour import fit_profile, from_exif, from_tiff_tags, stated_profile, states_colours
from kornia_srgan.photos.deep import deep_frame, depth_of, keeping_depth, mend_transparency
from kornia_srgan.photos.extra_formats import read_heif, read_jxl, read_raw
from kornia_srgan.photos.fits import read_fits
from kornia_srgan.photos.header import DNG_VERSION, check_size, frame_count, is_camera_raw, open_image
from kornia_srgan.photos.jpeg_quality import jpeg_quality
from kornia_srgan.photos.jpeg_scan import scan_damage
from kornia_srgan.photos.metadata import read_metadata, read_tiff_metadata
from kornia_srgan.photos.modes import Decoded, all_frames
from kornia_srgan.photos.netpbm import netpbm_header, read_netpbm
from kornia_srgan.photos.photo import CHANNELS, Frame, Metadata, Photo, Pixels, Space
from kornia_srgan.photos.psd import read_psd
from kornia_srgan.photos.signature import TIFF_MAGIC, Kind, kind_of

MAX_PIXELS = 250_000_000
"""More than this, in all frames together, is taken for a decompression bomb unless the caller raises it.

Cameras make up to 200 megapixels (phones), 151 (medium format) and 241 (pixel shift)."""

_WHITE_POINT, _PRIMARIES, _TRANSFER_FUNCTION = 318, 319, 301
_READERS: dict[str, Callable[[bytes, int], Decoded]] = {
    "RAW": read_raw,
    "HEIF": read_heif,
    "JXL": read_jxl,
    "PSD": read_psd,
    "FITS": read_fits,
}
_UNKNOWN_KIND = re.compile(
    r"cannot read this|not supported|unsupported|unknown (mode|pixel|compression)|codec configuration", re.I
)
_ANIMATED = {"GIF", "PNG", "WEBP", "AVIF"}


def read_photo(source: str | Path | bytes, *, max_pixels: int = MAX_PIXELS, name: str = "") -> Photo:
    """Decode a picture file.

    Args:
        source: A path, or the file's bytes.
        max_pixels: Largest number of pixels, checked before they are decoded.
        name: The name of bytes in messages.

    Raises:
        ImageError: If it cannot be read, is not a picture, is damaged, or is larger than `max_pixels`.
    """
    label = name or (str(source) if not isinstance(source, bytes) else "the input")
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read '{label}': {error.strerror or error}", where=label) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters about a damaged file is in the note or the error
        try:
            return _decode(data, max_pixels, label)
        except ImageError as error:
            raise ImageError(f"cannot read '{label}': {error}", where=label) from error
        except MemoryError as error:
            raise ImageError(f"cannot read '{label}': not enough memory to decode it", where=label) from error
        except Exception as error:  # decoders raise anything on damaged input
            raise ImageError(
                f"cannot read '{label}': {_why_unreadable(error, kind_of(data))}", where=label
            ) from error


def _why_unreadable(error: Exception, kind: Kind | None) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        if kind is None:
            return "it is not a picture in any known format"
        title = kind.title or kind.name
        return f"it begins as {title}, but is damaged or of a kind of {title} that is not supported"
    if isinstance(error, Image.DecompressionBombError):
        return "one of its frames has far more pixels than the picture; it is damaged, or made to do harm"
    text = (str(error).strip() or "no reason given").splitlines()[0]
    if isinstance(error, NotImplementedError) or _UNKNOWN_KIND.search(text):
        title = f" of {kind.title or kind.name}" if kind is not None else ""
        return f"it is of a kind{title} that is not supported ({text[:120]})"
    return f"the file is damaged ({type(error).__name__}: {text[:120]})"


def _decode(data: bytes, max_pixels: int, name: str) -> Photo:
    if not data:
        raise ImageError("the file is empty")
    kind = kind_of(data)
    if kind is not None and kind.refusal:
        raise ImageError(f"{kind.title} files are not supported; {kind.refusal}")
    own = "RAW" if is_camera_raw(kind, data, name) else kind.name if kind is not None else ""
    if own in _READERS:
        return _finished(_READERS[own](data, max_pixels), data, own)
    netpbm = netpbm_header(data) if own == "PPM" else None
    if netpbm is not None:
        check_size(netpbm.width * netpbm.height, max_pixels)
        space, frame = read_netpbm(data, netpbm)
        return _finished(Decoded(frame, space), data, "PPM")
    if own == "TIFF":
        return _decode_tiff(data, max_pixels)
    if own == "JPEG" and depth_of(data, "JPEG") > 8:
        return _decode_deep_jpeg(data, max_pixels)
    return _decode_by_pillow(data, max_pixels)


def needs_own_reader(data: bytes, name: str) -> bool:
    """Whether Pillow alone cannot read a file, or would show its thumbnail.

    Args:
        data: The file.
        name: Its name.
    """
    kind = kind_of(data)
    if kind is None:
        return False
    if kind.name == "TIFF" and not is_camera_raw(kind, data, name):
        try:
            with open_image(data) as image:
                return DNG_VERSION in getattr(image, "tag_v2", {})
        except Exception:  # of a kind that Pillow does not know; if it is damaged, the reader says how
            return True
    if kind.name == "JPEG":
        return depth_of(data, "JPEG") > 8
    return bool(kind.refusal) or kind.name in ("TIFF", "PPM", *_READERS)


def _finished(decoded: Decoded, data: bytes, format_name: str) -> Photo:
    """A picture that a package of its own decoded, upright already."""
    metadata, notes = Metadata(), ()
    if format_name in ("PPM", "FITS"):
        metadata, _, notes = read_metadata({}, data)
    elif decoded.image is not None:
        metadata, _, notes = read_metadata(decoded.image.info, data)
    elif format_name == "RAW" and data.startswith(TIFF_MAGIC):
        metadata, _, notes = read_tiff_metadata(data)
        metadata = replace(metadata, icc=None)  # it is the thumbnail's
    elif format_name == "RAW":
        notes = ("its EXIF is left out: it is read from camera raw that is built like TIFF only",)
    frames, space = [decoded.frame], decoded.space
    icc, unread = stated_profile(data, format_name, metadata.icc, space)
    metadata, odd = _coloured(metadata, icc, space, states_colours(data, format_name))
    _check_frames(frames, space)
    return Photo(frames, space, format_name, metadata, notes=(*notes, *decoded.notes, *unread, *odd))


def _decode_by_pillow(data: bytes, max_pixels: int) -> Photo:
    with open_image(data) as image:
        name = image.format or ""
        count = frame_count(image)
        check_size(image.width * image.height * count, max_pixels)
        animated = count > 1 and name in _ANIMATED
        frames, space, notes = _pillow_frames(image, data, count, max_pixels)
        metadata, orientation, more = read_metadata(image.info, data)
        icc, unread = stated_profile(data, name, metadata.icc, space)
        metadata, odd = _coloured(metadata, icc, space, states_colours(data, name))
        # Pillow does not tell how often an AVIF repeats; browsers repeat it for ever.
        loop = image.info.get("loop", 0 if name == "AVIF" else None)
        frames = [_upright(frame, orientation) for frame in frames]
        _check_frames(frames, space)
        quality = jpeg_quality(image)
        damage = damage_note(scan_damage(data)) if name in ("JPEG", "MPO") else ()
        notes = (*notes, *damage, *more, *unread, *odd)
        return Photo(frames, space, name, metadata, animated, loop, notes, quality)


def _pillow_frames(
    image: Image.Image, data: bytes, count: int, max_pixels: int
) -> tuple[list[Frame], Space, tuple[str, ...]]:
    """The frames in the file's own depth where we can have it, and a note where we cannot."""
    name = image.format or ""
    notes: tuple[str, ...] = ()
    bits = depth_of(data, name)
    if bits > 8 and count == 1:
        found = deep_frame(data, name)
        if found is not None:
            space, frame = found
            image.load()  # for the metadata that follows the pixels
            return [frame], space, ()
    if name == "PNG":
        mend_transparency(image, data)
    frames, space = all_frames(image, count, max_pixels)
    if count > 1:
        image.seek(0)
    image.load()
    if bits > 8 and frames[0].pixels.dtype == np.uint8:
        what = "an animation's frames are written in 8" if count > 1 else keeping_depth(name)
        notes = (f"its {bits} bits a channel become 8: {what}",)
    return frames, space, notes


def _decode_deep_jpeg(data: bytes, max_pixels: int) -> Photo:
    """A JPEG of 12 bits: its pixels by imagecodecs, the rest by Pillow from a header that says 8."""
    place = jpeg_frame(data) + 4
    with open_image(data[:place] + b"\x08" + data[place + 1 :]) as image:
        check_size(image.width * image.height, max_pixels)
        found = deep_frame(data, "JPEG")
        if found is None:
            kind = f"a JPEG of {data[place]} bits a channel"
            require_extra("codecs", "imagecodecs", purpose=kind, error=ImageError)
            raise ImageError(f"{kind} is read as grey or RGB alone")
        space, frame = found
        metadata, orientation, notes = read_metadata(image.info, data)
        metadata, odd = _coloured(metadata, metadata.icc, space)
        notes = (*damage_note(scan_damage(data)), *notes, *odd)
        return Photo([_upright(frame, orientation)], space, "JPEG", metadata, notes=notes)


def _decode_tiff(data: bytes, max_pixels: int) -> Photo:
    from kornia_srgan.photos.tiff_read import TiffReader, read_pages

    reader = TiffReader(data)
    if reader.is_raw:
        return _finished(read_raw(data, max_pixels), data, "RAW")
    reader.check_bands()
    metadata, orientation, notes = read_tiff_metadata(data)
    frames, space, by_pillow = read_pages(reader, data, max_pixels)
    by_tags = from_tiff_tags(
        reader.fractions(_WHITE_POINT),
        reader.fractions(_PRIMARIES),
        reader.numbers(_TRANSFER_FUNCTION),
        space,
    )
    # Pillow makes Lab sRGB, and its profile means nothing any more.
    stated = None if reader.is_lab else metadata.icc or by_tags
    icc, _ = stated_profile(data, "TIFF", stated, space)
    metadata, odd = _coloured(metadata, icc, space)
    frames = [_upright(f, 1 if by_pillow else orientation) for f in frames]  # Pillow turns a TIFF itself
    _check_frames(frames, space)
    return Photo(frames, space, "TIFF", metadata, notes=(*notes, *reader.notes(), *odd))


def _coloured(
    metadata: Metadata, icc: bytes | None, space: Space, stated: bool = False
) -> tuple[Metadata, tuple[str, ...]]:
    """The metadata with a profile that fits the values, and notes on one that does not."""
    if icc is None and not stated and metadata.exif is not None:
        exif = Image.Exif()
        exif.load(metadata.exif)
        icc = from_exif(exif, space)
    icc, notes = fit_profile(icc, space)
    return replace(metadata, icc=icc), notes


def _check_frames(frames: Sequence[Frame], space: Space) -> None:
    """Decoders give odd shapes for some damaged files."""
    for frame in frames:
        shape = frame.pixels.shape
        if len(shape) != 3 or 0 in shape or shape[2] != CHANNELS[space]:
            raise ImageError(f"the file is damaged (its pixels come as {shape})")
        if frame.alpha is not None and frame.alpha.shape != (*shape[:2], 1):
            raise ImageError(f"the file is damaged (its transparency comes as {frame.alpha.shape})")


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
