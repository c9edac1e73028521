"""What the texts of a PNG say."""

from __future__ import annotations

import struct
import zlib

from kornia_srgan.photos import photoshop
from kornia_srgan.photos.captions.found import CREDENTIALS, XMP_TEXT, Captions
from kornia_srgan.photos.chunks import png_chunks
from kornia_srgan.photos.photo import Text
from kornia_srgan.photos.xmp import MAIN_MARK

_RAW_PROFILE = "Raw profile type "  # ImageMagick's way to have everything in PNG
_MOST_TEXT = 256 * 2**20  # of one compressed text: more is no text


def read_png(data: bytes, found: Captions) -> None:
    """The texts of a PNG, and the profiles that ImageMagick keeps in texts."""
    if not pixels_are_whole(data):
        found.notes.append("the check sum of its pixels is wrong: some may be damaged")
    for name, content in png_chunks(data, whole=True):
        if name == b"caBX":
            found.notes.append(CREDENTIALS)
        if name == b"iCCP":
            found.icc = _png_profile(content)
            if not found.icc:
                found.notes.append("its ICC profile is damaged and left out")
            continue
        if name not in (b"tEXt", b"zTXt", b"iTXt"):
            continue
        text = _png_text(name, content)
        if text is None:
            found.notes.append("one of its texts is damaged and left out")
        elif text.keyword == XMP_TEXT:
            found.xmp = found.xmp or text.value.encode("utf-8", "surrogateescape")
        elif text.keyword.startswith(_RAW_PROFILE):
            _take_raw_profile(text, found)
        else:
            found.texts.append(text)


def pixels_are_whole(data: bytes) -> bool:
    """Whether the check sums of a PNG's pixels are right; Pillow does not look at them."""
    place = 8
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        stop = place + 8 + length
        if name in (b"IDAT", b"fdAT") and data[stop : stop + 4] != _check_sum(data, place + 4, stop):
            return False
        place = stop + 4
    return True


def _check_sum(data: bytes, start: int, stop: int) -> bytes:
    return zlib.crc32(memoryview(data)[start:stop]).to_bytes(4, "big")


def _png_text(name: bytes, content: bytes) -> Text | None:
    keyword, _, rest = content.partition(b"\0")
    key = keyword.decode("latin-1")
    try:
        if name == b"tEXt":
            return Text(key, rest.decode("latin-1"))
        if name == b"zTXt":
            return Text(key, _inflated(rest[1:]).decode("latin-1"))
        compressed = rest[0] == 1
        language, translated, value = rest[2:].split(b"\0", 2)
        value = _inflated(value) if compressed else value
        spoken = language.decode("latin-1")
        return Text(
            key, value.decode("utf-8", "surrogateescape"), spoken, translated.decode("utf-8", "replace")
        )
    except (ValueError, IndexError, zlib.error):
        return None


def _png_profile(content: bytes) -> bytes:
    """The profile in an iCCP chunk; empty where it is damaged."""
    try:
        return _inflated(content.partition(b"\0")[2][1:])
    except (ValueError, zlib.error):
        return b""


def _inflated(content: bytes) -> bytes:
    stream = zlib.decompressobj()
    value = stream.decompress(content, _MOST_TEXT)
    if stream.unconsumed_tail:
        raise ValueError("too long")
    return value


def _take_raw_profile(text: Text, found: Captions) -> None:
    """A profile as hexadecimal digits after its name and length."""
    kind = text.keyword.removeprefix(_RAW_PROFILE).strip().lower()
    try:
        _, length, digits = text.value.strip("\n").split("\n", 2)
        content = bytes.fromhex("".join(digits.split()))[: int(length)]
    except ValueError:
        found.notes.append(f"its profile '{kind}' is damaged and left out")
        return
    if kind in ("iptc", "8bim"):
        block = content.removeprefix(photoshop.MARK)
        records = [(photoshop.IPTC, b"", block)]
        found.resources += photoshop.read_resources(block) if block.startswith(b"8BIM") else records
    elif kind == "xmp" or content.startswith(MAIN_MARK):
        found.xmp = found.xmp or content.removeprefix(MAIN_MARK)
    elif kind in ("exif", "app1"):
        found.exif = content
