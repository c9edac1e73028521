"""What the plain old formats say: comments of Netpbm, the name in SGI, the author in TGA, cards of FITS."""

from __future__ import annotations

import re

from kornia_srgan.photos.captions.found import COMMENT, Captions, decode_text
from kornia_srgan.photos.netpbm import netpbm_comments
from kornia_srgan.photos.photo import Text

TGA_END = b"TRUEVISION-XFILE.\x00"
_TGA_FOOTER = 26
_PCX_PALETTE, _PCX_GREY = 769, 2
_CARD = 80
# Cards that say how the values lie in the file; the rest describes them.
_LAYOUT = re.compile(rb"(SIMPLE|BITPIX|NAXIS\d*|EXTEND|BZERO|BSCALE|XTENSION|[PG]COUNT|END)?\s*(=|$)")


def find_netpbm_captions(data: bytes, found: Captions) -> None:
    """The comments of a PBM, PGM, PPM, PAM or PFM."""
    found.texts += [Text(COMMENT, decode_text(line)) for line in netpbm_comments(data) if line]


def read_sgi(data: bytes, found: Captions) -> None:
    """The name that an SGI picture has inside; ImageMagick writes `no name`."""
    name = data[24:104].split(b"\0")[0].strip()
    if name and name != b"no name":
        found.texts.append(Text("Title", decode_text(name)))


def read_pcx(data: bytes, found: Captions) -> None:
    """Note a palette of 256 colours that is not there: the file was cut off, and Pillow shows grey."""
    depth, planes, kind = data[3], data[65], data[68]
    if depth == 8 and planes == 1 and kind != _PCX_GREY and data[-_PCX_PALETTE:][:1] != b"\x0c":
        found.notes.append("its palette is missing: its values are taken for grey")


def read_tga(data: bytes, section: bytes, found: Captions) -> None:
    """The identification of a TGA, and the author and comments of its second version.

    Args:
        data: The file.
        section: Its identification.
        found: Takes what is there.
    """
    extension = 0
    if data.endswith(TGA_END):
        extension = int.from_bytes(data[-_TGA_FOOTER : 4 - _TGA_FOOTER], "little")
    area = data[extension : extension + 495] if extension else b""
    author, lines = area[2:43], [area[place : place + 81] for place in range(43, 367, 81)]
    comment = b"\n".join(line.split(b"\0")[0] for line in lines).strip()
    stated = (("Author", author), (COMMENT, section), (COMMENT, comment), ("Software", area[426:467]))
    for keyword, value in stated:
        text = decode_text(value.split(b"\0")[0].strip())
        if text:
            found.texts.append(Text(keyword, text))


def find_fits_captions(data: bytes, found: Captions) -> None:
    """Note the cards of a FITS file that describe the picture."""
    end = re.search(rb"(?:.{80})*?END {77}", data[: 2**20], re.S)
    cards = [data[i : i + _CARD] for i in range(0, end.end() if end else 0, _CARD)]
    if any(not _LAYOUT.match(card) for card in cards):
        found.notes.append("the cards of its header (FITS) are left out")
