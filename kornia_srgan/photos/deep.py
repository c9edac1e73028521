"""Decodes pixels of more than 8 bits, which Pillow would reduce, and the transparent colour of PNG.

TIFF has a module of its own, `tiff_read`; HEIC and JPEG XL are in `extra_formats`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from PIL import Image

from kornia_srgan.environment import install_command, is_installed, require_extra
from kornia_srgan.errors import ImageError
from kornia_srgan.photos.chunks import jpeg_frame, png_chunks
from kornia_srgan.photos.items import picture_properties
from kornia_srgan.photos.photo import Frame, Pixels, Space, split_alpha

_PNG_MODES = {0: "mono", 2: "rgb", 6: "rgba"}
_GREY, _RGB, _GREY_ALPHA, _RGBA = 0, 2, 4, 6
_SPACES: dict[int, Space] = {1: "L", 2: "L", 3: "RGB", 4: "RGB"}
_BY_IMAGECODECS = ("AVIF", "JPEG2000", "JPEG")


def depth_of(data: bytes, name: str) -> int:
    """Bits a channel by a file's header; 8 where the format has no more or does not say.

    Args:
        data: The file.
        name: Of its format, as Pillow calls it.
    """
    return _DEPTHS[name](data) if name in _DEPTHS else 8


def _avif_depth(data: bytes) -> int:
    configuration = next((content for name, content in picture_properties(data) if name == b"av1C"), bytes(4))
    return 12 if configuration[2] & 0x20 else 10 if configuration[2] & 0x40 else 8


def _jp2_depth(data: bytes) -> int:
    place = data.find(b"\xff\x4f\xff\x51")
    return (data[place + 42] & 0x7F) + 1 if 0 <= place < len(data) - 42 else 8


def _jpeg_depth(data: bytes) -> int:
    place = jpeg_frame(data)
    return data[place + 4] if place else 8


_DEPTHS: dict[str, Callable[[bytes], int]] = {
    "PNG": lambda data: data[24],
    "AVIF": _avif_depth,
    "JPEG2000": _jp2_depth,
    "JPEG": _jpeg_depth,
    "SGI": lambda data: 8 * data[3],
}


def deep_frame(data: bytes, name: str) -> tuple[Space, Frame] | None:
    """The picture of a file of more than eight bits a channel in 16 bits; None where no decoder here can.

    Raises:
        ImageError: If it is damaged.
    """
    match name:
        case "PNG":
            return _deep_png(data)
        case _ if name in _BY_IMAGECODECS:
            pixels = _by_imagecodecs(data, name)
            if pixels is None or pixels.ndim not in (2, 3):
                return None
            pixels = pixels.reshape(*pixels.shape[:2], -1)
            deep = spread_bits(pixels, depth_of(data, name))
            space = _SPACES.get(deep.shape[-1])
            return None if space is None else (space, split_alpha(deep, has_alpha=deep.shape[-1] % 2 == 0))
        case _:
            return None


def spread_bits(values: Pixels, bits: int) -> Pixels:
    """Values of so many bits over all of 16."""
    if bits == 16:
        return values.astype(np.uint16)
    return (values.astype(np.float32) * (65535 / (2**bits - 1)) + 0.5).astype(np.uint16)


def _by_imagecodecs(data: bytes, name: str) -> Pixels | None:
    if not is_installed("imagecodecs"):
        return None
    import imagecodecs

    decoders: dict[str, Callable[[bytes], Pixels]] = {
        "AVIF": imagecodecs.avif_decode,
        "JPEG2000": imagecodecs.jpeg2k_decode,
        "JPEG": imagecodecs.jpeg8_decode,
    }
    return np.asarray(decoders[name](data))


def _deep_png(data: bytes) -> tuple[Space, Frame]:
    width, height = struct.unpack_from(">II", data, 16)
    colour = data[25]
    if colour == _GREY_ALPHA:
        return "L", split_alpha(_grey_alpha_png(data), has_alpha=True)
    from kornia_rs.io import decode_image_png_u16

    pixels = np.asarray(decode_image_png_u16(data, (height, width), _PNG_MODES[colour]))
    pixels = pixels.reshape(height, width, -1)
    space: Space = "L" if colour == _GREY else "RGB"
    if colour == _RGBA:
        return space, split_alpha(pixels, has_alpha=True)
    key = transparent_colour(data)
    if key is None:
        return space, Frame(pixels)
    alpha = np.where((pixels == np.array(key, np.uint16)).all(-1, keepdims=True), 0, 65535)
    return space, Frame(pixels, alpha.astype(np.uint16))


def transparent_colour(data: bytes) -> tuple[int, ...] | None:
    """The grey or RGB value that a PNG's tRNS chunk calls transparent, as stored, or None."""
    wanted = {_GREY: 1, _RGB: 3}.get(data[25])
    if wanted is None:
        return None
    key = next((content for name, content in png_chunks(data) if name == b"tRNS"), b"")
    return struct.unpack(f">{wanted}H", key) if len(key) == 2 * wanted else None


def keeping_depth(name: str) -> str:
    """What keeps the depth of a file whose pixels were cut to eight bits."""
    codecs = f"to keep them: {install_command('codecs')}"
    return codecs if name in _BY_IMAGECODECS else "convert it to 16-bit TIFF to keep them"


def mend_transparency(image: Image.Image, data: bytes) -> None:
    """State a PNG's transparent grey in eight bits: Pillow widens the pixels of 2 and 4 bits, but not it."""
    depth = data[24]
    if data[25] == _GREY and depth in (2, 4) and isinstance(image.info.get("transparency"), int):
        image.info["transparency"] *= 255 // (2**depth - 1)


def _grey_alpha_png(data: bytes) -> Pixels:
    require_extra("codecs", "imagecodecs", purpose="16-bit grey with alpha", error=ImageError)
    from imagecodecs import png_decode

    return np.asarray(png_decode(data))
