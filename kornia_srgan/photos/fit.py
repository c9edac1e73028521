"""Converts a picture to the depth, transparency and colour space of a format, band by band."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from kornia_srgan.errors import ImageError
from kornia_srgan.ops.luma import BT601
from kornia_srgan.photos.colour import fit_profile
from kornia_srgan.photos.formats import Format, WriteOptions
from kornia_srgan.photos.photo import CHANNELS, Pixels, Raster, Space, white_of


def fit_raster(
    picture: Raster, form: Format, options: WriteOptions, icc: bytes | None
) -> tuple[Raster, bytes | None, tuple[str, ...]]:
    """The picture in a depth and space that the format holds, its profile, and what was lost on the way.

    Raises:
        ImageError: If the picture is too large for the format.
    """
    if max(picture.height, picture.width) > form.longest:
        raise ImageError(
            f"{picture.width} x {picture.height} pixels are too many for {form.name} "
            f"(at most {form.longest} on a side); use PNG or TIFF"
        )
    notes: list[str] = []
    if picture.space == "CMYK" and not form.cmyk:
        picture, icc = _mapped(picture, _cmyk_to_rgb(icc), space="RGB"), None
        notes.append(f"{form.name} has no CMYK: converted to sRGB")
    if picture.alpha and form.alpha is None:
        background = options.background
        picture = _mapped(picture, lambda band: lay_over(band, background), alpha=False)
        notes.append(f"{form.name} has no transparency: put on the background colour")
    if picture.alpha and form.alpha == "binary":
        picture = _mapped(picture, _seen_or_not)
    target = _depth(picture.dtype, form)
    if target != picture.dtype:
        notes.append(f"{form.name} has no {picture.dtype}: rounded to {target}")
        source = picture.dtype
        picture = _mapped(picture, lambda band: _in_depth(band, source, target), dtype=target)
    if icc is not None and not form.icc:
        convert = _to_srgb(icc, picture.space)
        if convert is not None:
            picture, icc = _mapped(picture, convert), None
            notes.append(f"{form.name} cannot store an ICC profile: converted to sRGB")
    if picture.space == "L" and not form.grey:
        icc, odd = fit_profile(icc, "RGB")
        notes += odd
    return picture, icc, tuple(notes)


def _depth(dtype: np.dtype, form: Format) -> np.dtype:
    if dtype == np.uint8 or (dtype == np.uint16 and form.deep) or (dtype.kind == "f" and form.floating):
        return dtype
    return np.dtype(np.uint16 if form.deep else np.uint8)


def _mapped(picture: Raster, change: Callable[[Pixels], Pixels], **fields: Any) -> Raster:
    def changed(bands: Iterator[Pixels]) -> Iterator[Pixels]:
        for band in bands:
            yield change(band)

    return dataclasses.replace(picture, bands=changed(picture.bands), **fields)


def _in_depth(band: Pixels, source: np.dtype, target: np.dtype) -> Pixels:
    factor = white_of(target) / white_of(source)
    return (band.astype(np.float32) * factor + 0.5).astype(target)


def _seen_or_not(band: Pixels) -> Pixels:
    """Half-transparent pixels as opaque or transparent ones: a GIF knows no others."""
    white = white_of(band.dtype)
    alpha = np.where(band[..., -1:] >= white / 2, white, 0).astype(band.dtype)
    return np.concatenate([band[..., :-1], alpha], axis=-1)


def lay_over(band: Pixels, background: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    """Pixels over a colour, by default white, rounded to the nearest value.

    Args:
        band: `(H, W, 2)`, grey and opacity, or `(H, W, 4)`, RGB and opacity: uint8, uint16 or floating point.
        background: 8-bit RGB.

    Returns:
        The same dtype without the opacity.
    """
    white = white_of(band.dtype)
    colour, alpha = band[..., :-1].astype(np.float32), band[..., -1:].astype(np.float32) / white
    under = np.asarray(background, np.float32) / 255 * white
    if colour.shape[-1] == 1:
        under = under @ np.asarray(BT601, np.float32)[:, None]
    mixed = colour * alpha + under * (1 - alpha)
    return (mixed + 0.5 * (band.dtype.kind == "u")).astype(band.dtype)


def _to_srgb(icc: bytes, space: Space) -> Callable[[Pixels], Pixels] | None:
    """From a profile's values of 8 bits to sRGB's; None where the profile does not work."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), space, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None
    colours = CHANNELS[space]

    def convert(band: Pixels) -> Pixels:
        colour = np.ascontiguousarray(band[..., 0] if space == "L" else band[..., :colours])
        shown = np.asarray(ImageCms.applyTransform(Image.fromarray(colour), transform))
        return np.concatenate([shown[..., :colours], band[..., colours:]], axis=-1)

    return convert


def _cmyk_to_rgb(icc: bytes | None) -> Callable[[Pixels], Pixels]:
    """By the profile where there is one that works, else by the simple formula."""
    transform = None
    if icc is not None:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "CMYK", "RGB")
        except (ImageCms.PyCMSError, OSError):
            transform = None

    def convert(band: Pixels) -> Pixels:
        cmyk, rest = band[..., :4], band[..., 4:]
        if band.dtype != np.uint8:
            cmyk = _in_depth(cmyk, band.dtype, np.dtype(np.uint8))
        image = Image.fromarray(np.ascontiguousarray(cmyk), "CMYK")
        rgb = ImageCms.applyTransform(image, transform) if transform is not None else image.convert("RGB")
        colour = np.asarray(rgb)
        if band.dtype != np.uint8:
            colour = _in_depth(colour, np.dtype(np.uint8), band.dtype)
        return np.concatenate([colour, rest], axis=-1) if rest.shape[-1] else colour

    return convert
