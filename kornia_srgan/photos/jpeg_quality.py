"""The quality that a JPEG was saved at, from its quantisation tables."""

from __future__ import annotations

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

# The luminance table of the JPEG standard (ITU-T T.81, annex K); libjpeg scales it by the quality. Its sum is
# enough: it falls with every step of the quality, and does not depend on the order of the entries.
_STANDARD = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def jpeg_quality(image: Image.Image) -> int | None:
    """The quality of a JPEG on libjpeg's scale, 1 to 100; None for what is no JPEG.

    Exact for what libjpeg's kin wrote. Cameras and Photoshop have tables of their own: for those it is the
    quality whose table is closest in sum.

    Args:
        image: As Pillow opened it; its pixels need not be decoded.
    """
    if not isinstance(image, JpegImageFile) or not image.quantization:
        return None
    wanted = sum(image.quantization[min(image.quantization)])
    return min(range(100, 0, -1), key=lambda quality: abs(_table_sum(quality) - wanted))


def _table_sum(quality: int) -> int:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(max(1, min(255, (entry * scale + 50) // 100)) for row in _STANDARD for entry in row)
