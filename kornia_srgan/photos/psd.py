"""The flattened picture of Photoshop files (PSD, PSB): what other programs show of them.

By Adobe's file format specification. Pillow reads the eight-bit ones, but takes a saved selection for
transparency, leaves the white that Photoshop mixes into half-transparent pixels, and knows no 16 bits.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.header import check_size
from kornia_srgan.photos.modes import Decoded, from_pil
from kornia_srgan.photos.photo import Frame, Pixels, Space, white_of
from kornia_srgan.photos.photoshop import read_resources

_MODES = {
    0: "bitmap",
    1: "grey",
    2: "indexed",
    3: "RGB",
    4: "CMYK",
    7: "multichannel",
    8: "duotone",
    9: "Lab",
}
_SPACES: dict[int, tuple[Space, int]] = {1: ("L", 1), 8: ("L", 1), 3: ("RGB", 3), 4: ("CMYK", 4)}
_DUOTONE, _INDEXED, _BITMAP, _LAB = 8, 2, 0, 9
_RESOLUTION, _ICC, _VERSION_INFO, _EXIF, _XMP = 1005, 1039, 1057, 1058, 1060


@dataclass(frozen=True)
class PsdHeader:
    """The first 26 bytes.

    Attributes:
        large: It is a PSB, with 64-bit lengths.
        channels: Colours, opacity and saved selections.
        height: In pixels.
        width: In pixels.
        depth: Bits a channel.
        mode: A key of `_MODES`.
    """

    large: bool
    channels: int
    height: int
    width: int
    depth: int
    mode: int


def psd_header(data: bytes) -> PsdHeader:
    """Read a Photoshop file's header.

    Raises:
        ImageError: If it ends too soon.
    """
    if len(data) < 26:
        raise ImageError("the file is damaged (it ends too soon)")
    version, channels, height, width, depth, mode = struct.unpack_from(">4xH6xHIIHH", data)
    return PsdHeader(version == 2, channels, height, width, depth, mode)


def read_psd(data: bytes, max_pixels: int) -> Decoded:
    """The flattened picture.

    Raises:
        ImageError: If the file was saved without it, is not of a supported kind, damaged or too large.
    """
    header = psd_header(data)
    check_size(header.height * header.width, max_pixels)
    file = _Reader(data, 26)
    file.skip(4)  # the palette, or the inks of a duotone
    resources = {number: content for number, _, content in read_resources(file.section(4))}
    layers = file.section(8 if header.large else 4)
    if len(resources.get(_VERSION_INFO, b"")) > 4 and not resources[_VERSION_INFO][4]:
        raise ImageError(
            "this Photoshop file was saved without its flattened picture; "
            "save it with 'Maximize Compatibility'"
        )
    image = Image.new("RGB", (1, 1))
    image.info |= _info(resources)
    if header.mode in (_BITMAP, _INDEXED, _LAB) and header.depth <= 8 and not header.large:
        space, frame = _by_pillow(data)
        if header.mode == _BITMAP:  # its ones are ink
            frame = Frame(255 - frame.pixels)
        return Decoded(frame, space, image)
    if header.mode not in _SPACES or header.depth not in (8, 16):
        kind = _MODES.get(header.mode, f"mode {header.mode}")
        raise ImageError(
            f"a Photoshop file of {header.depth}-bit {kind} is not supported; convert it to 8- or 16-bit RGB"
        )
    space, colours = _SPACES[header.mode]
    transparent = header.channels > colours and _is_transparent(layers, header.large)
    planes = _planes(file, header, colours + transparent)
    notes = ["its duotone inks are left out: it becomes grey"] if header.mode == _DUOTONE else []
    spare = header.channels - colours - transparent
    if spare > 0:
        notes.append(f"its saved selections or spot colours ({spare} channels) are left out")
    pixels = planes[..., :colours]
    if space == "CMYK":
        pixels = pixels.dtype.type(white_of(pixels.dtype)) - pixels
    alpha = np.ascontiguousarray(planes[..., colours:]) if transparent else None
    if alpha is not None and space != "CMYK":
        pixels = _without_white(pixels, alpha)
    return Decoded(Frame(np.ascontiguousarray(pixels), alpha), space, image, notes=tuple(notes))


class _Reader:
    """Goes through a file in order."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data = data
        self._place = place

    def take(self, count: int) -> bytes:
        taken = self._data[self._place : self._place + count]
        if len(taken) < count:
            raise ImageError("the file is damaged (it ends too soon)")
        self._place += count
        return taken

    def section(self, length_bytes: int) -> bytes:
        return self.take(int.from_bytes(self.take(length_bytes), "big"))

    def skip(self, length_bytes: int) -> None:
        self.section(length_bytes)


def _info(resources: dict[int, bytes]) -> dict[str, object]:
    info: dict[str, object] = {"photoshop": resources}
    names = {"icc_profile": _ICC, "exif": _EXIF, "xmp": _XMP}
    info |= {name: resources[number] for name, number in names.items() if resources.get(number)}
    if len(resources.get(_RESOLUTION, b"")) >= 16:
        across, down = struct.unpack_from(">I4xI", resources[_RESOLUTION])
        info["dpi"] = (across / 65536, down / 65536)
    return info


def _by_pillow(data: bytes) -> tuple[Space, Frame]:
    from PIL.PsdImagePlugin import PsdImageFile

    image = PsdImageFile(io.BytesIO(data))
    image.load()
    frame, space = from_pil(image)
    return space, frame


def _is_transparent(layers: bytes, large: bool) -> bool:
    """Whether the first channel after the colours is the opacity of the flattened picture."""
    place = 8 if large else 4
    return len(layers) >= place + 2 and struct.unpack_from(">h", layers, place)[0] < 0


def _planes(file: _Reader, header: PsdHeader, wanted: int) -> Pixels:
    (compression,) = struct.unpack(">H", file.take(2))
    sample = header.depth // 8
    row = header.width * sample
    if compression == 0:
        packed = file.take(header.channels * header.height * row)
    elif compression == 1:
        packed = _unpacked(file, header, row, wanted)
    else:
        raise ImageError(f"a Photoshop file compressed in way {compression} is not supported")
    values = np.frombuffer(packed, ">u2" if sample == 2 else "u1")[: wanted * header.height * header.width]
    planes = values.reshape(wanted, header.height, header.width)
    return np.moveaxis(planes, 0, -1).astype(np.uint16 if sample == 2 else np.uint8)


def _unpacked(file: _Reader, header: PsdHeader, row: int, wanted: int) -> bytes:
    """PackBits, row by row; Pillow's decoder takes the rows of a channel at once."""
    size = 4 if header.large else 2
    lengths = np.frombuffer(file.take(size * header.channels * header.height), f">u{size}").astype(np.int64)
    planes = b""
    for channel in range(wanted):
        packed = file.take(int(lengths[channel * header.height : (channel + 1) * header.height].sum()))
        planes += Image.frombytes("L", (row, header.height), packed, "packbits", "L").tobytes()
    return planes


def _without_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Colours without the white that Photoshop mixes in where they are half transparent.

    Other programs do not: where a colour is darker than the white's share alone would be, none was mixed in.
    """
    white = white_of(pixels.dtype)
    if (pixels.astype(np.float32) + alpha < white * 0.99).any():
        return pixels
    share = np.maximum(alpha.astype(np.float32) / white, 1 / white)
    return (white - (white - pixels.astype(np.float32)) / share + 0.5).clip(0, white).astype(pixels.dtype)
