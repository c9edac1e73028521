"""What people and programs wrote about a picture: texts under names, comments, IPTC; for each format."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from PIL import GifImagePlugin, Image, PsdImagePlugin

from kornia_srgan.photos import photoshop
from kornia_srgan.photos.chunks import png_chunks
from kornia_srgan.photos.ifd import read_structure
from kornia_srgan.photos.photo import Text
from kornia_srgan.photos.segments import COM, app, jpeg_segments, riff_chunks
from kornia_srgan.photos.xmp import EXTENSION_MARK, MAIN_MARK, join_from_jpeg

XMP_TEXT = "XML:com.adobe.xmp"
COMMENT = "Comment"  # PNG's word for what JPEG and GIF call comment
_RAW_PROFILE = "Raw profile type "  # ImageMagick's way to have everything in PNG
_MOST_TEXT = 256 * 2**20  # of one compressed text: more is no text
_JUMBF = b"JP"
_CREDENTIALS = "its Content Credentials (C2PA) are left out: they vouch for the original only"
_PICTURE_KINDS = {0x020001: "a panorama", 0x020002: "a stereo pair", 0x020003: "several angles"}
_PREVIEWS = {0x010001, 0x010002, 0x010003, 0x010004, 0x010005}


@dataclass
class Captions:
    """What a file says beside EXIF, and notes on what of it is left out."""

    texts: list[Text] = field(default_factory=list)
    resources: list[photoshop.Resource] = field(default_factory=list)
    xmp: bytes | None = None
    exif: bytes | None = None
    notes: list[str] = field(default_factory=list)


def read_captions(data: bytes, image: Image.Image) -> Captions:
    """Read what the file of an opened image says beside its pixels."""
    readers: dict[str, Callable[[bytes, Captions], None]] = {
        "JPEG": _read_jpeg, "MPO": _read_jpeg, "PNG": _read_png, "WEBP": _read_webp, "AVIF": _read_boxes,
    }  # fmt: skip
    found = Captions()
    readers.get(image.format or "", _read_nothing)(data, found)
    if isinstance(image, GifImagePlugin.GifImageFile) and isinstance(image.info.get("comment"), bytes):
        found.texts.append(Text(COMMENT, decoded(image.info["comment"])))
    if isinstance(image, PsdImagePlugin.PsdImageFile):
        found.resources += [(number, b"", content) for number, _, content in image.resources]
        by_number = {number: content for number, _, content in found.resources}
        found.exif, found.xmp = by_number.get(photoshop.EXIF), by_number.get(photoshop.XMP)
    return found


def decoded(raw: bytes) -> str:
    """Bytes that are UTF-8 or, failing that, Latin-1, as both are found in comments."""
    try:
        return raw.decode("utf-8").rstrip("\0")
    except UnicodeDecodeError:
        return raw.decode("latin-1").rstrip("\0")


def _read_nothing(data: bytes, found: Captions) -> None:
    pass


def _read_webp(data: bytes, found: Captions) -> None:
    if b"C2PA" in riff_chunks(data):
        found.notes.append(_CREDENTIALS)


def _read_boxes(data: bytes, found: Captions) -> None:
    if b"tmap" in data[:64]:  # the brand of files with a gain map, in the first box
        found.notes.append(_gain_map_note())
    if b"\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81" in data:
        found.notes.append(_CREDENTIALS)


def _gain_map_note() -> str:
    return "its HDR gain map is left out: the result is the picture without it"


def _read_jpeg(data: bytes, found: Captions) -> None:
    block, parts, gain_map = b"", [], False
    kinds: list[int] = []
    for marker, content, _ in jpeg_segments(data):
        if marker == COM:
            found.texts.append(Text(COMMENT, decoded(content)))
        elif marker == app(13) and content.startswith(photoshop.MARK):
            block += content[len(photoshop.MARK) :]
        elif marker == app(1) and content.startswith(MAIN_MARK) and found.xmp is None:
            found.xmp = content[len(MAIN_MARK) :]
        elif marker == app(1) and content.startswith(EXTENSION_MARK):
            parts.append(content[len(EXTENSION_MARK) :])
        elif marker == app(1) and content.startswith(b"FLIR\0"):
            found.notes.append("its thermal measurements (FLIR) are left out")
        elif marker == app(2) and content.startswith(b"urn:iso:std:iso:ts:21496:-1\0"):
            gain_map = True
        elif marker == app(2) and content.startswith(b"MPF\0"):
            kinds = _kinds_of_pictures(content[4:])
        elif marker == app(11) and content.startswith(_JUMBF) and b"c2pa" in content[:200]:
            found.notes.append(_CREDENTIALS)
    found.resources += photoshop.read_resources(block)
    if parts:
        joined = join_from_jpeg(found.xmp or b"", parts)
        if joined is None:
            found.notes.append("the extended part of its XMP is damaged and left out")
        found.xmp = joined or found.xmp
    xmp = found.xmp or b""
    gain_map = gain_map or b"GainMap" in xmp or b"hdr-gain-map" in xmp or 0x050000 in kinds
    found.notes += _notes_on_pictures(data, xmp, kinds, gain_map)


def _kinds_of_pictures(content: bytes) -> list[int]:
    """The kinds of the pictures after the first one, by the index of a multi-picture file."""
    try:
        structure = read_structure(content)
    except ValueError:
        return []
    entry = structure.directories[0].get(0xB002)
    rows = [entry.data[i : i + 4] for i in range(0, len(entry.data), 16)] if entry else []
    little = "little" if structure.order == "<" else "big"
    return [int.from_bytes(row, little) & 0xFFFFFF for row in rows][1:]  # type: ignore[arg-type]


def _notes_on_pictures(data: bytes, xmp: bytes, kinds: list[int], gain_map: bool) -> Iterator[str]:
    others = [kind for kind in kinds if kind not in _PREVIEWS]
    if others and (gain_map or b"HDRGainMap" in data):
        gain_map = True
        others.pop()
    if gain_map:
        yield _gain_map_note()
    if others:
        kind = next((f" ({_PICTURE_KINDS[k]})" for k in others if k in _PICTURE_KINDS), "")
        count = "second picture" if len(others) == 1 else f"{len(others)} further pictures"
        yield f"its {count}{kind} {'is' if len(others) == 1 else 'are'} left out: only the first is enlarged"
    if (
        re.search(rb":(?:MotionPhoto|MicroVideo)(?:\s*=\s*[\"']|>)1", xmp)
        or b"MotionPhoto_Data" in data[-4096:]
    ):
        yield "its film (motion photo) is left out"


def _read_png(data: bytes, found: Captions) -> None:
    for name, content in png_chunks(data, whole=True):
        if name == b"caBX":
            found.notes.append(_CREDENTIALS)
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
