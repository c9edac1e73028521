"""What the first bytes of a picture file say, without decoding its pixels."""

from __future__ import annotations

import io
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

_LIMIT_LOCK = threading.Lock()
TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
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
    """Open with Pillow, without its limit on the number of pixels (a global; ours is an argument)."""
    with _LIMIT_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data) if isinstance(data, bytes) else data)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def frame_count(image: Image.Image) -> int:
    """The frames or pages that belong to the picture."""
    return int(getattr(image, "n_frames", 1)) if image.format in _MANY else 1


def peek(source: Path | bytes) -> Header | None:
    """The header; None where it cannot be read (reading the file says why)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(source, bytes):
                return _header(open_image(source))
            with source.open("rb") as file:
                return _header(open_image(file))
    except Exception:  # a damaged file raises anything; decoding it names the reason
        return _peek_tiff(source) if _is_tiff(source) else None


def _is_tiff(source: Path | bytes) -> bool:
    try:
        if isinstance(source, bytes):
            return source.startswith(TIFF_MAGIC)
        with source.open("rb") as file:
            return file.read(4).startswith(TIFF_MAGIC)
    except OSError:
        return False


def _peek_tiff(source: Path | bytes) -> Header | None:
    """A TIFF of a kind that Pillow does not know."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            page = file.pages.first
            mode = "F" if page.dtype is not None and page.dtype.kind == "f" else "RGB"
            return Header("TIFF", mode, page.imagewidth, page.imagelength, len(file.pages))
    except Exception:
        return None


def _header(image: Image.Image) -> Header:
    return Header(image.format or "", image.mode, image.width, image.height, frame_count(image))
