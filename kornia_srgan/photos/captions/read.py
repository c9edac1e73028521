"""Reading what a file says beside EXIF."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kornia_srgan.photos.captions.boxes import (
    find_jxl_captions,
    read_boxes,
    read_gif,
    read_jpeg2000,
    read_webp,
)
from kornia_srgan.photos.captions.found import COMMENT, Captions, decode_text
from kornia_srgan.photos.captions.jpeg import read_jpeg
from kornia_srgan.photos.captions.plain import (
    TGA_END,
    find_fits_captions,
    find_netpbm_captions,
    read_pcx,
    read_sgi,
    read_tga,
)
from kornia_srgan.photos.captions.png import read_png
from kornia_srgan.photos.photo import Text
from kornia_srgan.photos.signature import kind_of

_READERS: dict[str, Callable[[bytes, Captions], None]] = {
    "JPEG": read_jpeg,
    "PNG": read_png,
    "WEBP": read_webp,
    "GIF": read_gif,
    "AVIF": read_boxes,
    "HEIF": read_boxes,
    "JPEG2000": read_jpeg2000,
    "JXL": find_jxl_captions,
    "PPM": find_netpbm_captions,
    "SGI": read_sgi,
    "FITS": find_fits_captions,
    "PCX": read_pcx,
}


def read_captions(data: bytes, info: Mapping[Any, Any]) -> Captions:
    """Read what a file says beside its pixels.

    Args:
        data: The file.
        info: What Pillow or a reader of ours found in it.
    """
    found = Captions()
    kind = kind_of(data)
    reader = _READERS.get(kind.name) if kind is not None else None
    if reader is not None:
        reader(data, found)
    elif "id_section" in info or data.endswith(TGA_END):
        read_tga(data, info.get("id_section", b""), found)
    comment = info.get("comment")
    if isinstance(comment, bytes) and comment and not any(t.keyword == COMMENT for t in found.texts):
        found.texts.append(Text(COMMENT, decode_text(comment)))
    resources = info.get("photoshop")
    if isinstance(resources, dict) and not found.resources:
        found.resources += [
            (n, b"", content) for n, content in resources.items() if isinstance(content, bytes)
        ]
    return found
