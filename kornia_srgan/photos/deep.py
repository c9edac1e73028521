"""Pixels deeper than eight bits, which Pillow would cut down: 16-bit PNG and 16-bit or float TIFF."""

from __future__ import annotations

import io
import logging

import numpy as np
from PIL import Image

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.photo import Frame, Pixels, Space

_PNG_MODES = {0: "mono", 2: "rgb", 6: "rgba"}
_GREY_ALPHA = 4
_NO_LOG = logging.NullHandler()


def check_size(pixels: int, max_pixels: int) -> None:
    """Refuse a decompression bomb.

    Raises:
        ImageError: If there are more pixels than allowed.
    """
    if pixels > max_pixels:
        raise ImageError(
            f"it has {pixels / 1e6:.1f} million pixels, over the limit of {max_pixels / 1e6:.1f} million; "
            "if you trust it, raise the limit (--max-pixels)"
        )


def is_deep(data: bytes, image: Image.Image) -> bool:
    """Whether a file has more than eight bits a channel.

    Args:
        data: The file.
        image: The same, opened by Pillow.
    """
    if image.format == "PNG":
        return data[24] == 16 and not getattr(image, "is_animated", False)
    return image.format == "TIFF" and max(getattr(image, "tag_v2", {}).get(258, (1,))) > 8


def deep_frames(data: bytes, image: Image.Image, max_pixels: int) -> tuple[Space, list[Frame]]:
    """The frames of a file that `is_deep`."""
    return _deep_png(data, image) if image.format == "PNG" else tiff_frames(data, max_pixels)


def _deep_png(data: bytes, image: Image.Image) -> tuple[Space, list[Frame]]:
    colour = data[25]
    if colour == _GREY_ALPHA:
        return _split(_grey_alpha_png(data), "L", has_alpha=True)
    from kornia_rs.io import decode_image_png_u16

    pixels = np.asarray(decode_image_png_u16(data, (image.height, image.width), _PNG_MODES[colour]))
    space: Space = "L" if colour == 0 else "RGB"
    return _split(pixels.reshape(image.height, image.width, -1), space, has_alpha=colour == 6)


def _grey_alpha_png(data: bytes) -> Pixels:
    try:
        from imagecodecs import png_decode
    except ImportError as error:
        raise ImageError(
            "16-bit grey with alpha needs the package imagecodecs: pip install 'kornia-srgan[codecs]'"
        ) from error
    return np.asarray(png_decode(data))


def tiff_frames(data: bytes, max_pixels: int) -> tuple[Space, list[Frame]]:
    """The pages of a TIFF, without its thumbnails."""
    import tifffile

    # Without any handler Python prints its remarks on damaged tags to stderr; our error is one line.
    logging.getLogger("tifffile").addHandler(_NO_LOG)

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage) and not page.is_reduced]
        check_size(sum(page.imagelength * page.imagewidth for page in pages), max_pixels)
        found = [_page(page) for page in pages]
    spaces = {space for space, _ in found}
    if len(spaces) != 1:
        raise ImageError("its pages are in different colour spaces; split it first")
    return found[0][0], [frame for _, frames in found for frame in frames]


def _page(page: object) -> tuple[Space, list[Frame]]:
    import tifffile

    assert isinstance(page, tifffile.TiffPage)
    try:
        pixels = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        raise ImageError(
            f"its compression ({_name(page.compression)}) needs the package imagecodecs: "
            "pip install 'kornia-srgan[codecs]'"
        ) from error
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, -1)
    elif page.axes == "YX":
        pixels = pixels[..., None]
    elif page.axes != "YXS":
        raise ImageError(f"a TIFF with axes {page.axes} is not a photograph")
    photometric = int(page.photometric)
    space: Space = "CMYK" if photometric == 5 else "RGB" if photometric == 2 else "L"
    if photometric not in (0, 1, 2, 5):
        raise ImageError(f"TIFF colours of kind {_name(page.photometric)} in 16 bits are not supported")
    pixels = _checked(pixels)
    if photometric == 0:  # MINISWHITE
        pixels = (np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1) - pixels
    colours = {"L": 1, "RGB": 3, "CMYK": 4}[space]
    has_alpha = pixels.shape[-1] > colours and bool(page.extrasamples)
    if has_alpha and int(page.extrasamples[0]) == 1:
        pixels = _unmultiplied(pixels, colours)
    return _split(pixels[..., : colours + has_alpha], space, has_alpha=has_alpha)


def _name(value: int) -> str:
    return getattr(value, "name", str(value))


def _checked(pixels: Pixels) -> Pixels:
    if pixels.dtype.kind == "f":
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise ImageError("its floating-point values are not all in [0, 1]; scale them first")
        return pixels.astype(np.float32)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"values of {pixels.dtype} have no known white; convert it to 16 bits first")
    return pixels


def _unmultiplied(pixels: Pixels, colours: int) -> Pixels:
    """Associated alpha taken out of the colours."""
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    alpha = pixels[..., colours : colours + 1].astype(np.float32) / white
    colour = pixels[..., :colours] / np.where(alpha > 0, alpha, 1)
    colour = colour.round() if pixels.dtype.kind == "u" else colour
    result = pixels.copy()
    result[..., :colours] = colour.clip(0, white).astype(pixels.dtype)
    return result


def _split(pixels: Pixels, space: Space, *, has_alpha: bool) -> tuple[Space, list[Frame]]:
    if not has_alpha:
        return space, [Frame(np.ascontiguousarray(pixels))]
    colour, alpha = pixels[..., :-1], pixels[..., -1:]
    return space, [Frame(np.ascontiguousarray(colour), np.ascontiguousarray(alpha))]
