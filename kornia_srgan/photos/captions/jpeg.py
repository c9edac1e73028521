"""What the segments of a JPEG say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kornia_srgan.photos import photoshop
from kornia_srgan.photos.captions.found import COMMENT, CREDENTIALS, GAIN_MAP, Captions, decoded
from kornia_srgan.photos.ifd import read_structure
from kornia_srgan.photos.photo import Text
from kornia_srgan.photos.segments import COM, app, jpeg_segments
from kornia_srgan.photos.xmp import EXTENSION_MARK, MAIN_MARK, join_from_jpeg

_OLD_PHOTOSHOP = b"Adobe_Photoshop2.5:"
_ODD_XMP = re.compile(rb"[^<]{0,20}ns\.adobe\.com/xap/1\.0/\0")
_PICTURE_KINDS = {0x020001: "a panorama", 0x020002: "a stereo pair", 0x020003: "several angles"}
_PREVIEWS = {0x010001, 0x010002, 0x010003, 0x010004, 0x010005}


def read_jpeg(data: bytes, found: Captions) -> None:
    """Comments, IPTC and XMP of a JPEG, and what lies behind its picture."""
    block, parts, gain_map = b"", [], False
    kinds: list[int] = []
    for marker, content, _ in jpeg_segments(data):
        if marker == COM:
            found.texts.append(Text(COMMENT, decoded(content)))
        elif marker == app(13) and content.startswith(photoshop.MARK):
            block += content[len(photoshop.MARK) :]
        elif marker == app(13) and content.startswith(_OLD_PHOTOSHOP):
            block += content[max(0, content.find(b"8BIM")) :]
        elif marker == app(1) and (packet := _packet(content)) is not None:
            found.xmp = found.xmp or packet
        elif marker == app(1) and content.startswith(b"Exif\0") and not content.startswith(b"Exif\0\0"):
            found.exif = content[6:]  # of a program that got the mark wrong; Pillow passes it over
        elif marker == app(1) and content.startswith(EXTENSION_MARK):
            parts.append(content[len(EXTENSION_MARK) :])
        elif marker == app(1) and content.startswith(b"FLIR\0"):
            found.notes.append("its thermal measurements (FLIR) are left out")
        elif marker == app(2) and content.startswith(b"urn:iso:std:iso:ts:21496:-1\0"):
            gain_map = True
        elif marker == app(2) and content.startswith(b"MPF\0"):
            kinds = _kinds_of_pictures(content[4:])
        elif marker == app(11) and content.startswith(b"JP") and b"c2pa" in content[:200]:
            found.notes.append(CREDENTIALS)
    found.resources += photoshop.read_resources(block)
    if parts:
        joined = join_from_jpeg(found.xmp or b"", parts)
        if joined is None:
            found.notes.append("the extended part of its XMP is damaged and left out")
        found.xmp = joined or found.xmp
    xmp = found.xmp or b""
    gain_map = gain_map or b"GainMap" in xmp or b"hdr-gain-map" in xmp or 0x050000 in kinds
    found.notes += _notes_on_pictures(data, xmp, kinds, gain_map)


def _packet(content: bytes) -> bytes | None:
    """The XMP packet in a segment, also behind the marks that some versions of programs got wrong."""
    if content.startswith(MAIN_MARK):
        return content[len(MAIN_MARK) :]
    if found := _ODD_XMP.match(content):
        return content[found.end() :]
    return content if content.startswith((b"<?xpacket", b"<x:xmpmeta")) else None


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
        yield GAIN_MAP
    if others:
        kind = next((f" ({_PICTURE_KINDS[k]})" for k in others if k in _PICTURE_KINDS), "")
        count = "second picture" if len(others) == 1 else f"{len(others)} further pictures"
        yield f"its {count}{kind} {'is' if len(others) == 1 else 'are'} left out: only the first is enlarged"
    if (
        re.search(rb":(?:MotionPhoto|MicroVideo)(?:\s*=\s*[\"']|>)1", xmp)
        or b"MotionPhoto_Data" in data[-4096:]
    ):
        yield "its film (motion photo) is left out"
