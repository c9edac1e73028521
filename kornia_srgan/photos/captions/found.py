"""What a file says beside EXIF, as it is found."""

from __future__ import annotations

from dataclasses import dataclass, field

from kornia_srgan.photos.photo import Text
from kornia_srgan.photos.photoshop import Resource

XMP_TEXT = "XML:com.adobe.xmp"
COMMENT = "Comment"  # PNG's word for what JPEG and GIF call comment
CREDENTIALS = "its Content Credentials (C2PA) are left out: they vouch for the original only"
GAIN_MAP = "its HDR gain map is left out: the result is the picture without it"


@dataclass
class Captions:
    """What a file says beside EXIF, and notes on what of it is left out."""

    texts: list[Text] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    xmp: bytes | None = None
    exif: bytes | None = None
    icc: bytes | None = None
    notes: list[str] = field(default_factory=list)


def decode_text(raw: bytes) -> str:
    """Bytes that are UTF-8 or, failing that, Latin-1, as both are found in comments."""
    try:
        return raw.decode("utf-8").rstrip("\0")
    except UnicodeDecodeError:
        return raw.decode("latin-1").rstrip("\0")
