"""XMP packets: numbers brought up to date, left-out pictures no longer announced, the long ones of JPEG."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from xml.etree import ElementTree

MAIN_MARK = b"http://ns.adobe.com/xap/1.0/\x00"
EXTENSION_MARK = b"http://ns.adobe.com/xmp/extension/\x00"
_LONGEST = 65_533 - len(MAIN_MARK)  # in one segment of a JPEG
_LONGEST_PART = 65_400
_NOTE = b"http://ns.adobe.com/xmp/note/"
_PACKET = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>%s<?xpacket end="w"?>'
_POINTING = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
    b'xmpNote:HasExtendedXMP="%s"/>'
    b"</rdf:RDF></x:xmpmeta>"
)

# Each namespace, and the properties in it that say which pictures or films lie behind the first one.
_ANNOUNCEMENTS = {
    b"http://ns.adobe.com/hdr-gain-map/1.0/": rb"\w+",
    b"http://ns.apple.com/HDRGainMap/1.0/": rb"\w+",
    b"http://ns.google.com/photos/1.0/container/": rb"\w+",
    b"http://ns.google.com/photos/dd/1.0/device/": rb"Container",
    b"http://ns.google.com/photos/1.0/camera/": rb"(?:MotionPhoto|MicroVideo)\w*",
}


def replace_number(xmp: bytes, name: str, value: int) -> bytes:
    """A packet with a number replaced, written as an attribute or as an element."""
    key, number = re.escape(name.encode()), str(value).encode()
    xmp = re.sub(rb"(" + key + rb"\s*=\s*[\"'])\d+", rb"\g<1>" + number, xmp)
    return re.sub(rb"(<" + key + rb">\s*)\d+", rb"\g<1>" + number, xmp)


def find_number(xmp: bytes, name: str) -> int | None:
    """The first number of that name."""
    found = re.search(re.escape(name.encode()) + rb"(?:\s*=\s*[\"']|>\s*)(\d+)", xmp)
    return int(found[1]) if found else None


def without_announcements(xmp: bytes) -> bytes:
    """A packet that no longer announces a gain map, a film or other pictures that the file had."""
    for namespace, names in _ANNOUNCEMENTS.items():
        for prefix in re.findall(rb"xmlns:([\w.-]+)\s*=\s*[\"']" + re.escape(namespace) + rb"[\"']", xmp):
            xmp = _without(xmp, prefix, names)
            if not re.search(rb"[<\s/]" + re.escape(prefix) + rb":", xmp):
                declared = (
                    rb"\s*xmlns:" + re.escape(prefix) + rb"\s*=\s*([\"'])" + re.escape(namespace) + rb"\1"
                )
                xmp = re.sub(declared, b"", xmp)
    return xmp


def _without(xmp: bytes, prefix: bytes, names: bytes) -> bytes:
    name = re.escape(prefix) + rb":(?:" + names + rb")"
    xmp = re.sub(rb"\s*<(" + name + rb")(?:\s[^<>]*)?(?:/>|(?<!/)>.*?</\1\s*>)", b"", xmp, flags=re.DOTALL)
    return re.sub(rb"\s+" + name + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')", b"", xmp)


def split_for_jpeg(xmp: bytes) -> Iterator[bytes]:
    """The contents of the segments that hold a packet in a JPEG: one, or one that points to more."""
    if len(xmp) <= _LONGEST:
        yield MAIN_MARK + xmp
        return
    body = _unwrapped(xmp)
    if len(_PACKET % body) <= _LONGEST:
        yield MAIN_MARK + _PACKET % body
        return
    name = hashlib.md5(body, usedforsecurity=False).hexdigest().upper().encode()
    yield MAIN_MARK + _PACKET % (_POINTING % name)
    for start in range(0, len(body), _LONGEST_PART):
        head = EXTENSION_MARK + name + struct.pack(">II", len(body), start)
        yield head + body[start : start + _LONGEST_PART]


def _unwrapped(xmp: bytes) -> bytes:
    """A packet without its wrapper and the spaces that fill it."""
    return re.sub(rb"<\?xpacket.*?\?>", b"", xmp, flags=re.DOTALL).strip().strip(b"\xef\xbb\xbf").strip()


def join_from_jpeg(main: bytes, parts: list[bytes]) -> bytes | None:
    """The packet of a JPEG with its extensions in it.

    Args:
        main: The first packet.
        parts: The contents of the extending segments, after their mark.

    Returns:
        None where the extensions are incomplete or do not fit.
    """
    wanted = re.search(rb"HasExtendedXMP(?:\s*=\s*[\"']|>\s*)([0-9A-Fa-f]{32})", main)
    if wanted is None:
        return None
    mine = [p for p in parts if p[:32].upper() == wanted[1].upper() and len(p) > 40]
    body = b"".join(p[40:] for p in sorted(mine, key=lambda p: struct.unpack_from(">I", p, 36)))
    if not mine or len(body) != struct.unpack_from(">I", mine[0], 32)[0]:
        return None
    inner = re.search(rb"<rdf:RDF\b[^>]*>(.*)</rdf:RDF>", body, re.DOTALL)
    before, end, after = main.rpartition(b"</rdf:RDF>")
    if inner is None or not end:
        return None
    prefixes = re.findall(rb"xmlns:([\w.-]+)\s*=\s*[\"']" + re.escape(_NOTE), before)
    for prefix in prefixes:
        before = _without(before, prefix, rb"HasExtendedXMP")
    joined = before + inner[1] + end + after
    return joined if _is_xml(joined) else None


def _is_xml(xmp: bytes) -> bool:
    if b"<!" in xmp.replace(
        b"<!--", b""
    ):  # XMP has no document types, and these are what is dangerous in XML
        return False
    try:
        ElementTree.fromstring(_unwrapped(xmp))
    except ElementTree.ParseError:
        return False
    return True
