"""Reads the header of a picture file without decoding its pixels."""

from __future__ import annotations

import io
import logging
import struct
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.chunks import jpeg_frame
from kornia_srgan.photos.find import CAMERA_RAW
from kornia_srgan.photos.jxl import jxl_header
from kornia_srgan.photos.netpbm import netpbm_header
from kornia_srgan.photos.segments import without_long_texts
from kornia_srgan.photos.signature import Kind, kind_of

if TYPE_CHECKING:
    import tifffile

_LIMIT_LOCK = threading.Lock()
_NO_LOG = logging.NullHandler()
DNG_VERSION = 50706
_ENOUGH = 4096
_CURSOR, _ICON = b"\0\0\2\0", b"\0\0\1\0"
_PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
_MANY = {"GIF", "PNG", "WEBP", "AVIF", "TIFF"}


@dataclass(frozen=True)
class Header:
    """A picture file at a glance.

    Attributes:
        format: As Pillow calls it.
        mode: As Pillow calls it.
        width: Of the first frame.
        height: Of the first frame.
        frames: Of an animation or pages of a TIFF.
    """

    format: str
    mode: str
    width: int
    height: int
    frames: int

    @property
    def megapixels(self) -> float:
        """Of all frames."""
        return self.width * self.height * self.frames / 1e6


def open_image(data: bytes | BinaryIO) -> Image.Image:
    """Open with Pillow, without its limit on the number of pixels (a global; ours is an argument).

    The long texts and profiles of a PNG are left out: Pillow refuses a picture for one of over a megabyte.
    A cursor with a PNG inside is opened as the icon that it is but for its hot spot: Pillow knows none.
    """
    if isinstance(data, bytes) and data.startswith(b"\x89PNG"):
        data = without_long_texts(data)
    if isinstance(data, bytes) and _is_png_cursor(data):
        data = _ICON + data[len(_CURSOR) :]
    with _LIMIT_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data) if isinstance(data, bytes) else data)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _is_png_cursor(data: bytes) -> bool:
    place = int.from_bytes(data[18:22], "little")
    return data.startswith(_CURSOR) and data[place : place + 4] == b"\x89PNG"


def open_tiff(file: BinaryIO) -> tifffile.TiffFile:
    """Open with tifffile, whose remarks on damaged tags Python would print where nobody handles them."""
    import tifffile

    logging.getLogger("tifffile").addHandler(_NO_LOG)
    return tifffile.TiffFile(file)


def frame_count(image: Image.Image) -> int:
    """The frames or pages that belong to the picture."""
    return int(getattr(image, "n_frames", 1)) if image.format in _MANY else 1


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


def peek_header(source: Path | bytes, name: str = "") -> Header | None:
    """The header; None where it cannot be read (reading the file says why).

    Args:
        source: A path, or the file's bytes.
        name: Of the file whose bytes they are.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(source, bytes):
                return _peek(io.BytesIO(source), name)
            with source.open("rb") as file:
                return _peek(file, source.name)
    except Exception:  # a damaged file raises anything; decoding it names the reason
        return None


def _peek(file: BinaryIO, name: str) -> Header | None:
    head = file.read(_ENOUGH)
    file.seek(0)
    kind = kind_of(head)
    if is_camera_raw(kind, head, name):
        return _peek_raw(file)
    name = kind.name if kind is not None else ""
    if name in _PEEKS:
        return _PEEKS[name](file, head)
    try:
        image = open_image(file)
    except Image.UnidentifiedImageError:
        file.seek(0)
        return _peek_otherwise(file, kind)
    if DNG_VERSION in getattr(image, "tag_v2", {}):  # what Pillow sees is the thumbnail
        return _peek_raw(file)
    return _header(image)


def is_camera_raw(kind: Kind | None, head: bytes, name: str) -> bool:
    """Whether a file's first bytes, or those of a TIFF and its name, are of a camera's raw file."""
    if kind is None or kind.name not in ("RAW", "TIFF"):
        return False
    return kind.name == "RAW" or head[8:10] == b"CR" or Path(name).suffix.lower() in CAMERA_RAW


def _peek_otherwise(file: BinaryIO, kind: Kind | None) -> Header | None:
    """What Pillow does not open: some TIFFs, and JPEGs of 12 bits."""
    name = kind.name if kind is not None else ""
    if name == "TIFF":
        return _peek_tiff(file)
    data = file.read() if name == "JPEG" else b""
    place = jpeg_frame(data)
    if not place:
        return None
    height, width = struct.unpack_from(">HH", data, place + 5)
    return Header(name, "L" if data[place + 9] == 1 else "RGB", width, height, 1)


def _peek_tiff(file: BinaryIO) -> Header | None:
    """A TIFF of a kind that Pillow does not know."""
    with open_tiff(file) as tiff:
        page = tiff.pages.first
        mode = "F" if page.dtype is not None and page.dtype.kind == "f" else "RGB"
        return Header("TIFF", mode, page.imagewidth, page.imagelength, len(tiff.pages))


def _peek_jxl(file: BinaryIO, head: bytes) -> Header | None:
    header = jxl_header(head)
    if header is None:
        return None
    return Header("JXL", "RGB" if header.bits <= 8 else "RGB;16", header.width, header.height, 1)


def _peek_png(file: BinaryIO, head: bytes) -> Header | None:
    """By its chunks: Pillow would read the texts too, and refuse long ones."""
    width, height, depth, colour = struct.unpack_from(">IIBB", head, 16)
    mode = {(1, 0): "1", (16, 0): "I;16"}.get((depth, colour), _PNG_MODES.get(colour))
    if mode is None or not width or not height:
        return None
    place, frames, fallback = 8, 0, 1
    while True:
        file.seek(place)
        start = file.read(16)
        if len(start) < 12 or start[4:8] in (b"IDAT", b"IEND"):
            break
        if start[4:8] == b"acTL":
            frames = int.from_bytes(start[8:12], "big")
        fallback = 0 if start[4:8] == b"fcTL" else fallback
        place += 12 + int.from_bytes(start[:4], "big")
    return Header("PNG", mode, width, height, frames + fallback if frames else 1)


def _peek_netpbm(file: BinaryIO, head: bytes) -> Header:
    header = netpbm_header(head)
    if header is None:
        return _header(open_image(file))
    mode = "F" if header.kind == "PF" else "RGB"
    return Header("PPM", mode, header.width, header.height, 1)


def _peek_heif(file: BinaryIO, head: bytes) -> Header:
    from pillow_heif import HeifImageFile

    return _header(HeifImageFile(file))


def _peek_psd(file: BinaryIO, head: bytes) -> Header:
    height, width, mode = struct.unpack_from(">14xII2xH", head)
    return Header("PSD", {1: "L", 4: "CMYK", 8: "L"}.get(mode, "RGB"), width, height, 1)


def _peek_raw(file: BinaryIO) -> Header:
    import rawpy

    file.seek(0)
    with rawpy.imread(file) as raw:
        return Header("RAW", "RGB;16", raw.sizes.width, raw.sizes.height, 1)


def _header(image: Image.Image) -> Header:
    return Header(image.format or "", image.mode, image.width, image.height, frame_count(image))


_PEEKS: dict[str, Callable[[BinaryIO, bytes], Header | None]] = {
    "PNG": _peek_png,
    "JXL": _peek_jxl,
    "HEIF": _peek_heif,
    "PSD": _peek_psd,
    "PPM": _peek_netpbm,
}
