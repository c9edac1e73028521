"""Detects the kind of a file by its first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

SIGNATURE_BYTES = 64
TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"mif2", b"miaf")
_AVIF_BRANDS = (b"avif", b"avis")
# Containers of camera raw that no TIFF header announces: Fuji, Olympus, Panasonic, Sigma, Minolta, Canon CRW.
_RAW_MAGIC = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\x00", b"FOVb", b"\x00MRM")
_PCX_DEPTHS = (b"\1\1", b"\1\2", b"\1\4", b"\1\x08")


@dataclass(frozen=True)
class Kind:
    """A kind of picture file.

    Attributes:
        name: As Pillow calls it where Pillow knows it.
        matches: Whether a file's first `SIGNATURE_BYTES` are those of this kind.
        title: What to call it in messages, where that is not its name.
        refusal: Why it is not enlarged, and what to do; empty where it is.
    """

    name: str
    matches: Callable[[bytes], bool]
    title: str = ""
    refusal: str = ""


def _starts(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magic)


def _brands(head: bytes) -> tuple[bytes, ...]:
    """The major brand of an ISO media file, then the compatible ones."""
    if head[4:8] != b"ftyp":
        return ()
    end = min(len(head), int.from_bytes(head[:4], "big"))
    return (head[8:12], *(head[i : i + 4] for i in range(16, end, 4)))


def _is_avif(head: bytes) -> bool:
    brands = _brands(head)
    return any(b in _AVIF_BRANDS for b in brands)


def _is_heif(head: bytes) -> bool:
    brands = _brands(head)
    return brands[:1] != (b"crx ",) and any(b in _HEIF_BRANDS for b in brands)


def _is_raw(head: bytes) -> bool:
    return head.startswith(_RAW_MAGIC) or head[6:14] == b"HEAPCCDR" or _brands(head)[:1] == (b"crx ",)


def _is_bmp(head: bytes) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124)


def _is_sgi(head: bytes) -> bool:
    return head[:2] == b"\x01\xda" and head[2:3] in (b"\x00", b"\x01") and head[3:4] in (b"\x01", b"\x02")


def _is_pcx(head: bytes) -> bool:
    return head[:1] == b"\n" and head[1:2] in (b"\0", b"\2", b"\3", b"\4", b"\5") and head[2:4] in _PCX_DEPTHS


def _is_jpeg_ls(head: bytes) -> bool:
    """By the frame header, or by the SPIFF header before it, which says how the rest is compressed."""
    spiff = head[:4] == b"\xff\xd8\xff\xe8" and head[6:12] == b"SPIFF\0" and head[26:27] == b"\6"
    return spiff or head.startswith(b"\xff\xd8\xff\xf7")


def _is_pnm(head: bytes) -> bool:
    return re.match(rb"P([1-6]\s+[\d#]|7\s+(WIDTH|HEIGHT|#)|[fF]\s+[\d#])", head) is not None


_HDR = "enlarging knows ordinary pictures with a white; tone-map it to 16-bit TIFF or PNG first"
_DRAWING = "a drawing has no pixels to enlarge; render it in the size that you want"
_LAYERS = "only its own program can put its layers together; export it as PNG or TIFF"

KINDS = (
    Kind("PNG", _starts(b"\x89PNG\r\n\x1a\n")),
    Kind("JPEG-LS", _is_jpeg_ls, "JPEG-LS", "convert it to PNG first"),
    Kind("JPEG", _starts(b"\xff\xd8\xff")),
    Kind("GIF", _starts(b"GIF87a", b"GIF89a")),
    Kind("WEBP", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    Kind("RAW", _is_raw, "camera raw"),
    Kind("TIFF", _starts(*TIFF_MAGIC)),
    Kind("AVIF", _is_avif),
    Kind("HEIF", _is_heif, "HEIC/HEIF"),
    Kind("JXL", _starts(b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n"), "JPEG XL"),
    Kind("JPEG2000", _starts(b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  \r\n\x87\n"), "JPEG 2000"),
    Kind("PSD", _starts(b"8BPS"), "Photoshop"),
    Kind("BMP", _is_bmp),
    Kind("PPM", _is_pnm, "Netpbm"),
    Kind("SGI", _is_sgi),
    Kind("PCX", _is_pcx),
    Kind("QOI", _starts(b"qoif")),
    Kind("DDS", _starts(b"DDS ")),
    Kind("ICNS", _starts(b"icns")),
    Kind("SUN", _starts(b"\x59\xa6\x6a\x95"), "Sun raster"),
    Kind("FITS", _starts(b"SIMPLE  =")),
    Kind("PDF", _starts(b"%PDF-"), "PDF", _DRAWING),
    Kind("EPS", _starts(b"%!PS", b"\xc5\xd0\xd3\xc6"), "PostScript", _DRAWING),
    Kind("SVG", lambda head: b"<svg" in head, "SVG", _DRAWING),
    Kind("EXR", _starts(b"\x76\x2f\x31\x01"), "OpenEXR", _HDR),
    Kind("HDR", _starts(b"#?RADIANCE", b"#?RGBE"), "Radiance HDR", _HDR),
    Kind("JXR", _starts(b"II\xbc\x01"), "JPEG XR", "convert it to PNG or TIFF first"),
    Kind("XCF", _starts(b"gimp xcf"), "GIMP", _LAYERS),
    Kind("DPX", _starts(b"SDPX", b"XPDS"), "DPX", "convert it to 16-bit TIFF first"),
    Kind("FLIF", _starts(b"FLIF"), "FLIF", "convert it to PNG first"),
    Kind("BPG", _starts(b"BPG\xfb"), "BPG", "convert it to PNG first"),
    Kind("JNG", _starts(b"\x8bJNG\r\n\x1a\n", b"\x8aMNG\r\n\x1a\n"), "MNG/JNG", "convert it to PNG first"),
)


def kind_of(head: bytes) -> Kind | None:
    """The kind of a file by its first bytes; None where they are no known picture's."""
    return next((kind for kind in KINDS if kind.matches(head[:SIGNATURE_BYTES])), None)
