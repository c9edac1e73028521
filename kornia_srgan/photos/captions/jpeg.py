"""What the segments of a JPEG say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from kornia_srgan.photos import photoshop
from kornia_srgan.photos.captions.found import COMMENT, CREDENTIALS, GAIN_MAP, Captions, decode_text
from kornia_srgan.photos.ifd import read_structure
from kornia_srgan.photos.photo import Text
from kornia_srgan.photos.segments import COM, app_marker, jpeg_segments
from kornia_srgan.photos.xmp import EXTENSION_MARK, MAIN_MARK, join_from_jpeg

_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
_OLD_PHOTOSHOP = b"Adobe_Photoshop2.5:"
_ODD_XMP = re.compile(rb"[^<]{0,20}ns\.adobe\.com/xap/1\.0/\0")
_PICTURE_KINDS = {0x020001: "a panorama", 0x020002: "a stereo pair", 0x020003: "several angles"}
_PREVIEWS = {0x010001, 0x010002, 0x010003, 0x010004, 0x010005}


def read_jpeg(data: bytes, found: Captions) -> None:
    """Comments, IPTC and XMP of a JPEG, and what lies behind its picture."""
    segments = [(marker, content) for marker, content, _ in jpeg_segments(data)]
    found.texts += [Text(COMMENT, decode_text(content)) for marker, content in segments if marker == COM]
    _take_first(_with_marker(segments, 1), found)
    block = b"".join(map(_resources, _with_marker(segments, 13)))
    found.resources += photoshop.read_resources(block)
    if any(c.startswith(b"JP") and b"c2pa" in c[:200] for c in _with_marker(segments, 11)):
        found.notes.append(CREDENTIALS)
    found.notes += _notes_on_pictures(data, found.xmp or b"", _with_marker(segments, 2))


def _with_marker(segments: Sequence[tuple[int, bytes]], number: int) -> list[bytes]:
    return [content for marker, content in segments if marker == app_marker(number)]


def _take_first(contents: Iterable[bytes], found: Captions) -> None:
    """EXIF and XMP, which share a marker."""
    parts = []
    for content in contents:
        if (packet := _packet(content)) is not None:
            found.xmp = found.xmp or packet
        elif content.startswith(EXTENSION_MARK):
            parts.append(content[len(EXTENSION_MARK) :])
        elif content.startswith(b"Exif\0") and not content.startswith(b"Exif\0\0"):
            found.exif = content[6:]  # of a program that got the mark wrong; Pillow passes it over
        elif content.startswith(b"FLIR\0"):
            found.notes.append("its thermal measurements (FLIR) are left out")
    if parts:
        joined = join_from_jpeg(found.xmp or b"", parts)
        if joined is None:
            found.notes.append("the extended part of its XMP is damaged and left out")
        found.xmp = joined or found.xmp


def _resources(content: bytes) -> bytes:
    """Photoshop's resources in a segment; a block may go on in the next."""
    if content.startswith(photoshop.MARK):
        return content[len(photoshop.MARK) :]
    return content[max(0, content.find(b"8BIM")) :] if content.startswith(_OLD_PHOTOSHOP) else b""


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
    order: Literal["little", "big"] = "little" if structure.order == "<" else "big"
    return [int.from_bytes(row, order) & 0xFFFFFF for row in rows][1:]


def _notes_on_pictures(data: bytes, xmp: bytes, contents: Sequence[bytes]) -> Iterator[str]:
    kinds = [kind for c in contents if c.startswith(b"MPF\0") for kind in _kinds_of_pictures(c[4:])]
    gain_map = b"GainMap" in xmp or b"hdr-gain-map" in xmp or 0x050000 in kinds
    gain_map = gain_map or any(c.startswith(_ISO_GAIN_MAP) for c in contents)
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
