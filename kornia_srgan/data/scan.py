"""Reads the headers of many images in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from kornia_srgan.data.crop_decoding import ImageFile
from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.data.shards import Failures, Located
from kornia_srgan.errors import ImageError
from kornia_srgan.processor import usable_processors


def scan_headers(images: Sequence[Located], pixels: PixelFormat = RGB) -> tuple[list[ImageFile], Failures]:
    """The images with their sizes, in order; and those with an unreadable header, with the reason."""

    def scan(image: Located) -> ImageFile | str:
        try:
            height, width = pixels.size(image.open(), image.name)
            return ImageFile(image, height, width, pixels=pixels)
        except ImageError as error:
            return str(error)

    with ThreadPoolExecutor(min(16, usable_processors())) as pool:
        results = list(zip(images, pool.map(scan, images), strict=True))
    return (
        [r for _, r in results if isinstance(r, ImageFile)],
        [(image.name, r) for image, r in results if isinstance(r, str)],
    )
