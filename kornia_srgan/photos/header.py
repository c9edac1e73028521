"""What the first bytes of a picture file say, without decoding its pixels."""

from __future__ import annotations

import io
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.find import CAMERA_RAW
from kornia_srgan.photos.jxl import jxl_header
from kornia_srgan.photos.segments import without_compressed_texts
from kornia_srgan.photos.signature import TIFF_MAGIC, Kind, kind_of

_LIMIT_LOCK = threading.Lock()
_DNG_VERSION = 50706
_ENOUGH = 4096
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

    The compressed texts of a PNG are left out: Pillow refuses a picture for one of more than a megabyte.
    """
    if isinstance(data, bytes) and data.startswith(b"\x89PNG"):
        data = without_compressed_texts(data)
    with _LIMIT_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data) if isinstance(data, bytes) else data)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


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


def peek(source: Path | bytes) -> Header | None:
    """The header; None where it cannot be read before all is decoded (reading the file says why)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(source, bytes):
                return _peek(io.BytesIO(source), "")
            with source.open("rb") as file:
                return _peek(file, source.name)
    except Exception:  # a damaged file raises anything; decoding it names the reason
        return None


def _peek(file: BinaryIO, name: str) -> Header | None:
    head = file.read(_ENOUGH)
    file.seek(0)
    kind = kind_of(head)
    if is_camera_raw(kind, head, name):
        return None
    match kind.name if kind is not None else "":
        case "JXL":
            header = jxl_header(head)
            mode = "RGB" if header is None or header.bits <= 8 else "RGB;16"
            return None if header is None else Header("JXL", mode, header.width, header.height, 1)
        case "HEIF":
            from pillow_heif import HeifImageFile

            return _header(HeifImageFile(file))
    try:
        return _header(open_image(file))
    except Image.UnidentifiedImageError:
        file.seek(0)
        return _peek_tiff(file) if head.startswith(TIFF_MAGIC) else None


def is_camera_raw(kind: Kind | None, head: bytes, name: str) -> bool:
    """Whether a file's first bytes, or those of a TIFF and its name, are of a camera's raw file."""
    if kind is None or kind.name not in ("RAW", "TIFF"):
        return False
    return kind.name == "RAW" or head[8:10] == b"CR" or Path(name).suffix.lower() in CAMERA_RAW


def _peek_tiff(file: BinaryIO) -> Header | None:
    """A TIFF of a kind that Pillow does not know."""
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        mode = "F" if page.dtype is not None and page.dtype.kind == "f" else "RGB"
        return Header("TIFF", mode, page.imagewidth, page.imagelength, len(tiff.pages))


def _header(image: Image.Image) -> Header | None:
    if _DNG_VERSION in getattr(image, "tag_v2", {}):  # what Pillow sees is the thumbnail
        return None
    return Header(image.format or "", image.mode, image.width, image.height, frame_count(image))
