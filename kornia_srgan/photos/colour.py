"""Converts any description of colours in a file to an ICC profile.

Besides ICC there are CICP code points (PNG, AVIF, HEIC), gAMA and cHRM (PNG), the mark that cameras leave in
EXIF, the primaries of TIFF, the header of BMP. The values stay as they are and get a profile that
says the same. HDR is refused: its values have no white, and enlarging would treat them as ordinary ones.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from PIL import Image

from kornia_srgan.errors import ImageError
from kornia_srgan.photos import icc as profiles
from kornia_srgan.photos.chunks import find_boxes, png_chunks
from kornia_srgan.photos.icc import SRGB, Primaries
from kornia_srgan.photos.nclx import CodePoints, stated_code_points
from kornia_srgan.photos.photo import Space

_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_RGB = Primaries(_D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))

# Rec. ITU-T H.273, table 2. 1 is sRGB's.
_CICP_PRIMARIES = {
    1: SRGB,
    4: Primaries(_C, (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: Primaries(_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: Primaries(_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: Primaries(_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    8: Primaries(_C, (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: Primaries(_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Primaries((0.314, 0.351), *P3),
    12: Primaries(_D65, *P3),
    22: Primaries(_D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
# Table 3. BT.709's code points also stand where an encoder that thinks in video meant sRGB: see `_from_cicp`.
_BT709_LIKE = {1, 6, 11, 14, 15}
_CICP_CURVES = {
    **dict.fromkeys(_BT709_LIKE, profiles.BT709_CURVE),
    4: profiles.power_curve(2.2),
    5: profiles.power_curve(2.8),
    8: profiles.power_curve(1.0),
    13: profiles.SRGB_CURVE,
}
_UNSPECIFIED = 2
_HEIF = ("AVIF", "HEIF")


def stated_profile(
    data: bytes, name: str, icc: bytes | None, space: Space
) -> tuple[bytes | None, tuple[str, ...]]:
    """The ICC profile of a file's values: its own, or one that says what the file says by other means.

    Args:
        data: The file.
        name: Of its format, as Pillow calls it.
        icc: Its own profile.
        space: Of its values.

    Returns:
        The profile, None where the file says nothing, or says sRGB, which is what all take such a file for;
        and a note on what cannot be read.

    Raises:
        ImageError: If it is HDR, or says its colours in code points that we do not know.
    """
    if name == "PNG":  # cICP goes before iCCP; in HEIF the profile does
        cicp = _png_cicp(data)
        if cicp is not None:
            return _from_cicp(*cicp, space), ()
    if icc is None and name in _HEIF:
        cicp, notes = stated_code_points(data)
        return None if cicp is None else _from_cicp(*cicp, space), notes
    if icc is None:
        return _STATED[name](data, space) if name in _STATED else None, ()
    transfer = profiles.hdr_transfer(icc)
    if transfer is not None:
        raise _hdr(transfer)
    return icc, ()


def states_colours(data: bytes, name: str) -> bool:
    """Whether a file itself says what its colours are, be it sRGB; the mark in EXIF does not count then."""
    if name == "PNG":
        return any(chunk in (b"cICP", b"sRGB", b"gAMA", b"cHRM") for chunk, _ in png_chunks(data))
    codes = stated_code_points(data)[0] if name in _HEIF else None
    return codes is not None and codes[0] != _UNSPECIFIED


def from_exif(exif: Image.Exif, space: Space) -> bytes | None:
    """The profile for what cameras say in EXIF of a picture without one: Adobe RGB, or None for sRGB."""
    try:
        inner = exif.get_ifd(0x8769)
        marks = (exif.get_ifd(0xA005).get(1) if 0xA005 in inner else None, exif.get(1))
    except Exception:  # of a damaged directory, which is named where EXIF is read
        return None
    adobe = inner.get(0xA001) == 2 or any(str(m).strip("\0b' ") == "R03" for m in marks if m is not None)
    return _profile("Adobe RGB (1998)", ADOBE_RGB, profiles.power_curve(563 / 256), space) if adobe else None


def from_tiff_tags(
    white: Sequence[float], primaries: Sequence[float], curves: Sequence[int], space: Space
) -> bytes | None:
    """The profile for the tags WhitePoint, PrimaryChromaticities and TransferFunction of a TIFF.

    Args:
        white: x and y; empty where it is not stated, as the others.
        primaries: x and y of red, green and blue.
        curves: 16-bit samples, one or three times the number of values.
        space: Of the values.
    """
    flat = [*(white or _D65), *(primaries or (*SRGB.red, *SRGB.green, *SRGB.blue))]
    if space == "CMYK" or len(flat) != 8 or len(curves) not in (0, 256, 768, 65536, 196608):
        return None
    stated = Primaries((flat[0], flat[1]), (flat[2], flat[3]), (flat[4], flat[5]), (flat[6], flat[7]))
    if not curves:
        return None if stated.close_to(SRGB) else _checked("TIFF", stated, profiles.power_curve(2.2), space)
    third = len(curves) // 3 if len(curves) in (768, 196608) else len(curves)
    sampled = [profiles.sampled_curve(curves[i : i + third]) for i in range(0, len(curves), third)]
    return profiles.grey_profile("TIFF", sampled[0]) if space == "L" else _by_curves(stated, sampled)


def _by_curves(stated: Primaries, curves: Sequence[bytes]) -> bytes | None:
    try:
        return profiles.rgb_profile("TIFF", stated, curves)
    except (ValueError, struct.error):
        return None


def fit_profile(icc: bytes | None, space: Space) -> tuple[bytes | None, tuple[str, ...]]:
    """A profile for values of a space, made from one for another where that is possible, and notes."""
    if icc is None or (profiles.is_profile(icc) and profiles.space_of(icc) == profiles.SPACES[space]):
        return icc, ()
    if not profiles.is_profile(icc):
        return None, ("its ICC profile is damaged: left out",)
    kind = profiles.space_of(icc).decode("ascii", "replace").strip()
    made = None
    if (kind, space) == ("GRAY", "RGB"):
        made = profiles.as_rgb(icc)
    elif (kind, space) == ("RGB", "L"):
        made = profiles.as_grey(icc)
    if made is not None:
        return made, ()
    return None, (f"its ICC profile is for {kind} and its values are {space}: left out",)


def _hdr(transfer: str) -> ImageError:
    return ImageError(
        f"it is an HDR picture ({transfer}), whose values have no ordinary white; tone-map it to SDR first"
    )


def _profile(name: str, primaries: Primaries, curve: bytes, space: Space) -> bytes | None:
    if space == "L":
        return profiles.grey_profile(name, curve)
    return profiles.rgb_profile(name, primaries, [curve]) if space == "RGB" else None


def _from_cicp(primaries: int, transfer: int, space: Space) -> bytes | None:
    if transfer in profiles.HDR_TRANSFERS:
        raise _hdr(profiles.HDR_TRANSFERS[transfer])
    colours = SRGB if primaries == _UNSPECIFIED else _CICP_PRIMARIES.get(primaries)
    curve = profiles.SRGB_CURVE if transfer == _UNSPECIFIED else _CICP_CURVES.get(transfer)
    if colours is None or curve is None:
        raise ImageError(
            f"its colours are stated as CICP {primaries}/{transfer}, which is not known; convert it to sRGB"
        )
    usual = transfer in (_UNSPECIFIED, 13) or transfer in _BT709_LIKE
    if usual and (space == "L" or colours.close_to(SRGB)):
        return None  # as every browser shows it
    return _profile(f"CICP {primaries}/{transfer}", colours, curve, space)


def _png_cicp(data: bytes) -> CodePoints | None:
    found = next((c for name, c in png_chunks(data) if name == b"cICP" and len(c) == 4), None)
    if found is None:
        return None
    if found[2] != 0 or found[3] != 1:
        raise ImageError("its cICP chunk states values that are not full-range RGB, which is not supported")
    return found[0], found[1]


def _from_png(data: bytes, space: Space) -> bytes | None:
    stated = dict(png_chunks(data))
    if b"sRGB" in stated:
        return None
    gamma, chroma = stated.get(b"gAMA"), stated.get(b"cHRM")
    colours = SRGB
    if chroma is not None and len(chroma) == 32:
        x = [v / 100_000 for v in struct.unpack(">8I", chroma)]
        colours = Primaries((x[0], x[1]), (x[2], x[3]), (x[4], x[5]), (x[6], x[7]))
    exponent = struct.unpack(">I", gamma)[0] / 100_000 if gamma is not None and len(gamma) == 4 else 0.0
    near_srgb = colours.close_to(SRGB) or space == "L"
    if not exponent:
        return None if near_srgb else _checked("PNG primaries", colours, profiles.SRGB_CURVE, space)
    if abs(exponent * 2.2 - 1) <= 0.05 and near_srgb:  # libpng's measure of what can be seen
        return None
    return _checked(f"PNG gamma {exponent:g}", colours, profiles.power_curve(1 / exponent), space)


def _checked(name: str, colours: Primaries, curve: bytes, space: Space) -> bytes | None:
    try:
        return _profile(name, colours, curve, space)
    except (ValueError, struct.error):  # primaries or a gamma that no light has; libpng passes over them too
        return None


def _from_bmp(data: bytes, space: Space) -> bytes | None:
    """Of a version 4 or 5 header: an embedded profile, or primaries and gammas."""
    header = 14 if data[:2] == b"BM" else 0
    (size,) = struct.unpack_from("<I", data, header)
    if size < 108:
        return None
    kind, fields = data[header + 56 : header + 60], struct.unpack_from("<12I", data, header + 60)
    if kind == b"DEBM" and size >= 124:
        offset, length = struct.unpack_from("<II", data, header + 112)
        icc = data[header + offset : header + offset + length]
        return icc if len(icc) == length >= 128 else None
    xyz = [[v / 2**30 for v in fields[i : i + 3]] for i in (0, 3, 6)]
    total = [sum(c) for c in zip(*xyz, strict=True)]
    if kind != bytes(4) or not all(fields[9:12]) or not all(sum(c) for c in xyz):
        return None
    red, green, blue = ((c[0] / sum(c), c[1] / sum(c)) for c in xyz)
    white = (total[0] / sum(total), total[1] / sum(total))
    gamma = fields[10] / 65536  # green's; programs write the same three times
    return _checked("BMP", Primaries(white, red, green, blue), profiles.power_curve(gamma), space)


def _from_jp2(data: bytes, space: Space) -> bytes | None:
    for colr in find_boxes(data, (b"jp2h", b"colr")):
        if colr[:1] in (b"\x02", b"\x03") and len(colr) > 131:
            return colr[3:]
    return None


def _from_gif(data: bytes, space: Space) -> bytes | None:
    place = data.find(b"\x21\xff\x0bICCRGBG1012")
    if place < 0:
        return None
    place, icc = place + 14, b""
    while place < len(data) and data[place]:
        icc += data[place + 1 : place + 1 + data[place]]
        place += 1 + data[place]
    return icc if len(icc) >= 128 else None


_STATED: dict[str, Callable[[bytes, Space], bytes | None]] = {
    "PNG": _from_png,
    "BMP": _from_bmp,
    "DIB": _from_bmp,
    "JPEG2000": _from_jp2,
    "GIF": _from_gif,
}
