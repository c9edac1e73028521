"""What files made of boxes say: AVIF, HEIF, JPEG 2000, JPEG XL; and WebP and GIF."""

from __future__ import annotations

from kornia_srgan.photos import photoshop
from kornia_srgan.photos.captions.found import CREDENTIALS, GAIN_MAP, Captions
from kornia_srgan.photos.chunks import iso_boxes
from kornia_srgan.photos.segments import riff_chunks

_UUID_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_UUID_EXIF = b"JpgTiffExif->JP2"
_UUID_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_UUID_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_GIF_XMP, _GIF_XMP_END = b"\x21\xff\x0bXMP DataXMP", b"\x01\xff\xfe\xfd"


def read_boxes(data: bytes, found: Captions) -> None:
    """Of an AVIF or HEIF: what our decoders do not tell."""
    if b"tmap" in data[:64]:  # the brand of files with a gain map, in the first box
        found.notes.append(GAIN_MAP)
    if any(name == b"uuid" and data[start : start + 16] == _UUID_C2PA for name, start, _ in iso_boxes(data)):
        found.notes.append(CREDENTIALS)


def read_jpeg2000(data: bytes, found: Captions) -> None:
    """EXIF, XMP and IPTC of a JPEG 2000."""
    if data[4:8] != b"jP  ":  # a bare codestream has no boxes
        return
    for name, start, stop in iso_boxes(data):
        if name != b"uuid":
            continue
        kind, content = data[start : start + 16], data[start + 16 : stop]
        if kind == _UUID_EXIF:
            found.exif = content
        elif kind == _UUID_XMP:
            found.xmp = content
        elif kind == _UUID_IPTC:
            found.resources.append((photoshop.IPTC, b"", content))
        elif kind == _UUID_C2PA:
            found.notes.append(CREDENTIALS)
    if any(name == b"xml " for name, _, _ in iso_boxes(data)):
        found.notes.append("its XML (such as a map position in GML) is left out")


def find_jxl_captions(data: bytes, found: Captions) -> None:
    """EXIF and XMP of a JPEG XL."""
    if data[4:8] != b"JXL ":
        return
    for name, start, stop in iso_boxes(data):
        content = data[start:stop]
        if name == b"Exif" and len(content) > 4:
            found.exif = content[4 + int.from_bytes(content[:4], "big") :]
        elif name == b"xml ":
            found.xmp = found.xmp or content
        elif name == b"brob":
            _read_compressed(content, found)
        elif name == b"jhgm":
            found.notes.append(GAIN_MAP)
        elif name == b"jumb" and b"c2pa" in content[:200]:
            found.notes.append(CREDENTIALS)


def _read_compressed(content: bytes, found: Captions) -> None:
    kind = content[:4]
    if kind not in (b"Exif", b"xml "):
        return
    try:
        import brotli

        value = brotli.decompress(content[4:])
    except Exception:  # not installed, or damaged in one of many ways
        name = "EXIF" if kind == b"Exif" else "XMP"
        found.notes.append(f"its {name} is compressed and left out; to keep it: pip install brotli")
        return
    if kind == b"Exif":
        found.exif = value[4 + int.from_bytes(value[:4], "big") :]
    else:
        found.xmp = found.xmp or value


def read_webp(data: bytes, found: Captions) -> None:
    """Of a WebP: what Pillow does not tell."""
    if b"C2PA" in riff_chunks(data):
        found.notes.append(CREDENTIALS)


def read_gif(data: bytes, found: Captions) -> None:
    """The XMP of a GIF, which stands there unpacked, with an end that decoders of GIF can leap over."""
    _, mark, rest = data.partition(_GIF_XMP)
    packet, end, _ = rest.partition(_GIF_XMP_END)
    if mark and end:
        found.xmp = packet
