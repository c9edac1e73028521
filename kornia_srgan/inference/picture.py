"""Enlarges photos: colour, grey, CMYK and transparency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from kornia_srgan.inference.alpha import keep_flat_opacity, spread_visible_colour
from kornia_srgan.photos.encode import raster_to_pil
from kornia_srgan.photos.modes import from_pil
from kornia_srgan.photos.photo import Frame, Photo, Pixels, Raster, Space, white_of


class Enlarger(Protocol):
    """Enlarges pictures of one or three channels band by band; an `Upscaler` is one."""

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width that a picture will have."""
        ...

    def bands(self, pixels: Pixels) -> Iterator[Pixels]:
        """The enlarged pixels from top to bottom; the same rows for the same size, whatever the channels."""
        ...

    @property
    def restore(self) -> float | None:
        """How much noise and compression is removed, 0 to 1; None if unknown."""
        ...

    def tuned(self, pixels: Pixels, quality: int | None = None) -> Enlarger:
        """The enlarger for one picture; this one, unless it is adapted to each picture."""
        ...

    def notes(self, height: int, width: int) -> tuple[str, ...]:
        """Notes about the result for a picture of that size, one sentence each."""
        ...


def tuned_for(photo: Photo, enlarger: Enlarger) -> Enlarger:
    """The enlarger for a photo; its first frame and its stored quality decide for all frames."""
    pixels = photo.frames[0].pixels
    if photo.space == "CMYK":
        pixels = pixels.dtype.type(white_of(pixels.dtype)) - pixels[..., :3]
    return enlarger.tuned(pixels, photo.quality)


def enlarge(photo: Photo, enlarger: Enlarger) -> Iterator[Raster]:
    """Enlarge each frame of a photo; rows are computed when they are needed."""
    for frame in photo.frames:
        yield enlarge_frame(frame, photo.space, enlarger)


def enlarge_frame(frame: Frame, space: Space, enlarger: Enlarger) -> Raster:
    """Enlarge one frame.

    Values are enlarged in their own colour space, so the same ICC profile stays valid. Cyan, magenta and
    yellow are enlarged as inverted RGB, black as inverted grey, and opacity as grey.
    """
    height, width = enlarger.size(*frame.pixels.shape[:2])
    bands = _colour_bands(frame, space, enlarger)
    alpha = frame.alpha is not None
    if frame.alpha is not None:
        bands = _side_by_side(bands, _alpha_bands(frame.alpha, enlarger))
    return Raster(height, width, space, alpha, frame.pixels.dtype, bands, frame.duration)


def _colour_bands(frame: Frame, space: Space, enlarger: Enlarger) -> Iterator[Pixels]:
    pixels = frame.pixels
    if frame.alpha is not None:
        pixels = _as_pixels(spread_visible_colour(_as_tensor(pixels), _as_tensor(frame.alpha)))
    if space != "CMYK":
        return enlarger.bands(pixels)
    white = pixels.dtype.type(white_of(pixels.dtype))
    inverted = white - pixels
    inks = _side_by_side(
        enlarger.bands(np.ascontiguousarray(inverted[..., :3])),
        enlarger.bands(np.ascontiguousarray(inverted[..., 3:])),
    )
    return (white - band for band in inks)


def _alpha_bands(alpha: Pixels, enlarger: Enlarger) -> Iterator[Pixels]:
    height, width = enlarger.size(*alpha.shape[:2])
    if alpha.min() != alpha.max():
        bands = enlarger.bands(alpha)
        larger = height >= alpha.shape[0] and width >= alpha.shape[1]
        return keep_flat_opacity(bands, alpha, height, width) if larger else bands
    constant = alpha.flat[0]
    return iter([np.broadcast_to(constant, (height, width, 1))])


def _side_by_side(left: Iterator[Pixels], right: Iterator[Pixels]) -> Iterator[Pixels]:
    """Two streams of bands as one with the channels of both, however each is cut into bands."""
    waiting: Pixels | None = None
    for band in left:
        rows = len(band)
        parts: list[Pixels] = []
        while rows:
            if waiting is None or not len(waiting):
                waiting = next(right)
            parts.append(waiting[:rows])
            rows -= len(parts[-1])
            waiting = waiting[len(parts[-1]) :]
        yield np.concatenate([band, np.concatenate(parts)], axis=-1)


def _as_tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).movedim(-1, 0)[None]


def _as_pixels(tensor: torch.Tensor) -> Pixels:
    return np.ascontiguousarray(tensor[0].movedim(0, -1).numpy())


def enlarge_pil(image: Image.Image, enlarger: Enlarger) -> Image.Image:
    """Enlarge a Pillow image and keep its profile and the rest of its `info`.

    L, LA, RGB, RGBA, CMYK, I;16 and F (in [0, 1]) keep their mode. Mode 1 becomes L, a palette becomes RGB or
    RGBA, and any other mode RGB.
    """
    frame, space = from_pil(image)
    result = raster_to_pil(enlarge_frame(frame, space, enlarger))
    kept = {k: v for k, v in image.info.items() if k not in ("transparency", "duration", "loop")}
    result.info.update(kept)
    return result
