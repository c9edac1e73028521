"""Writes picture files with their metadata, atomically."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from kornia_srgan.atomic import replacing
from kornia_srgan.errors import ImageError, KorniaSRGANError, located
from kornia_srgan.photos.captions.place import fit_metadata, jpeg_extras, png_captions
from kornia_srgan.photos.fit import fit_raster
from kornia_srgan.photos.formats import Format, WriteOptions, format_of
from kornia_srgan.photos.metadata import resize_metadata
from kornia_srgan.photos.photo import Metadata, Photo, Raster, raster_of
from kornia_srgan.photos.png import write_png
from kornia_srgan.photos.tiff import write_tiff


def write_photo(
    path: str | Path,
    photo: Photo,
    options: WriteOptions | None = None,
    *,
    rasters: Iterable[Raster] | None = None,
    form: Format | None = None,
) -> tuple[str, ...]:
    """Write a photo, or new rasters for its frames, with its metadata and timing.

    Args:
        path: Takes the place of what is there, when all is written.
        photo: The photo, or the source of metadata.
        options: Quality and similar options.
        rasters: Written instead of the photo's frames, one per frame; see `enlarge`.
        form: The format; by default by the suffix of the path.

    Returns:
        What could not be kept, one sentence each.

    Raises:
        ImageError: If it cannot be written or the format cannot hold it.
    """
    if rasters is None:
        rasters = (raster_of(frame, photo.space) for frame in photo.frames)
    times = [frame.duration for frame in photo.frames] if photo.animated else None
    return write_rasters(
        Path(path), rasters, photo.metadata, options, form=form, durations=times, loop=photo.loop
    )


def write_rasters(
    path: Path,
    rasters: Iterable[Raster],
    metadata: Metadata,
    options: WriteOptions | None = None,
    *,
    form: Format | None = None,
    durations: list[float] | None = None,
    loop: int | None = None,
) -> tuple[str, ...]:
    """Write a picture, an animation or pages. The rasters' rows are pulled as the file takes them.

    Args:
        path: Takes the place of what is there, when all is written.
        rasters: One, or the frames or pages.
        metadata: ICC, EXIF, XMP and resolution; the sizes in it are brought up to date.
        options: Quality and the like.
        form: The format; by the path's suffix when it is not given.
        durations: For an animation, milliseconds for each frame.
        loop: How often an animation repeats; 0 for ever, None for once.

    Returns:
        What could not be kept, one sentence each.

    Raises:
        ImageError: If it cannot be written or the format cannot hold it.
    """
    options = options or WriteOptions()
    form = form or format_of(path)
    supply = iter(rasters)
    with replacing(path, ImageError) as temporary:
        first, icc, notes = _fitted(path, next(supply), form, options, metadata.icc)
        sized = resize_metadata(replace(metadata, icc=icc), first.width, first.height)
        kept, left_out = fit_metadata(sized, form)
        notes += left_out
        rest = (_fitted(path, r, form, options, metadata.icc)[0] for r in supply)
        try:
            if form.strips:
                notes += write_tiff(temporary, chain([first], rest), kept)
            elif durations is not None:
                _refuse_animation(path, form)
                _write_animation(temporary, chain([first], rest), form, options, kept, durations, loop)
            else:
                _write_still(temporary, first, form, options, kept)
                _refuse_more(path, rest, form)
        except KorniaSRGANError:
            raise
        except (ValueError, TypeError, KeyError) as error:  # what encoders raise on what they cannot hold
            raise ImageError(f"cannot write '{path}' as {form.name}: {error}", where=path) from error
        return notes


def _fitted(
    path: Path, picture: Raster, form: Format, options: WriteOptions, icc: bytes | None
) -> tuple[Raster, bytes | None, tuple[str, ...]]:
    with located(path):
        return fit_raster(picture, form, options, icc)


def _refuse_more(path: Path, rest: Iterator[Raster], form: Format) -> None:
    if next(rest, None) is not None:
        raise ImageError(
            f"{form.name} holds one picture and this has several pages; write it as TIFF", where=path
        )


def _refuse_animation(path: Path, form: Format) -> None:
    if not form.animation:
        raise ImageError(f"{form.name} holds no animation; use GIF, PNG, WebP or AVIF", where=path)


def _write_still(
    path: Path, picture: Raster, form: Format, options: WriteOptions, metadata: Metadata
) -> None:
    if form.name == "PNG":
        write_png(path, picture, metadata)
    else:
        raster_to_pil(picture).save(path, form.name, **_pillow_options(form, options, metadata))


def raster_to_pil(picture: Raster) -> Image.Image:
    """A raster as a Pillow image, filled band by band so that it is in memory once."""
    if picture.dtype != np.uint8:
        whole = np.concatenate(list(picture.bands))
        return Image.fromarray(whole[..., 0])
    mode = picture.space + ("A" if picture.alpha else "")
    image = Image.new(mode, (picture.width, picture.height))
    row = 0
    for band in picture.bands:
        pixels = np.ascontiguousarray(band[..., 0] if picture.channels == 1 else band)
        size = (picture.width, len(band))
        image.paste(Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1), (0, row))
        row += len(band)
    return image


def _write_animation(
    path: Path,
    rasters: Iterator[Raster],
    form: Format,
    options: WriteOptions,
    metadata: Metadata,
    durations: list[float],
    loop: int | None,
) -> None:
    frames = (raster_to_pil(picture) for picture in rasters)
    first = next(frames)
    choices = _pillow_options(form, options, metadata)
    rest = list(frames) if form.frames_at_once else frames
    choices |= {"save_all": True, "append_images": rest, "duration": _whole(durations)}
    if loop is not None or form.stated_once:
        choices["loop"] = 1 if loop is None else loop
    if form.disposes:
        choices["disposal"] = 2 if "A" in first.mode else 1
    first.save(path, form.name, **choices)


def _whole(durations: list[float]) -> list[int]:
    """In whole milliseconds, rounded so that the sum stays right."""
    ends = np.cumsum([0.0, *durations]).round().astype(int)
    return [int(d) for d in np.diff(ends)]


def _pillow_options(form: Format, options: WriteOptions, metadata: Metadata) -> dict[str, Any]:
    choices: dict[str, Any] = dict(form.encoder(options))
    if metadata.icc is not None:
        choices["icc_profile"] = metadata.icc
    if metadata.dpi is not None:
        choices["dpi"] = metadata.dpi
    if metadata.exif is not None:
        choices["exif"] = b"Exif\x00\x00" + metadata.exif
    return choices | _caption_options(form, metadata)


def _caption_options(form: Format, metadata: Metadata) -> dict[str, Any]:
    if form.texts:
        info = PngImagePlugin.PngInfo()
        for kind, data in png_captions(metadata):
            info.add(kind, data)
        return {"pnginfo": info}
    if form.segments:
        return {"extra": jpeg_extras(metadata)}
    choices: dict[str, Any] = {"xmp": metadata.xmp} if metadata.xmp is not None else {}
    if metadata.texts:
        choices["comment"] = "\n".join(text.value for text in metadata.texts).encode("utf-8", "replace")
    return choices
