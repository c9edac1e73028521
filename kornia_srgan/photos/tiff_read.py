"""TIFF by tifffile: what Pillow would cut down or does not know, and what a TIFF says that is no picture."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator

import numpy as np
import tifffile
from PIL import Image

from kornia_srgan.environment import install_command, require_extra
from kornia_srgan.errors import ImageError
from kornia_srgan.explain import one_line
from kornia_srgan.photos.c_messages import c_messages, damage_note, first_of
from kornia_srgan.photos.header import check_size, frame_count, open_image, open_tiff
from kornia_srgan.photos.modes import all_frames
from kornia_srgan.photos.photo import Frame, Pixels, Space, split_alpha, unit_floats, white_of

_RAW_PHOTOMETRICS = (32803, 34892)  # colour filter array, linear raw
_DNG_VERSION = 50706
GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
_UNSPECIFIED = 0
_YCBCR, _REFERENCE, _FULL_RANGE = 6, 532, (0, 255, 128, 255, 128, 255)
_LAB = (8, 9, 10)
_DEFLATE = (8, 32946)
_AT_ONCE = 2**20
# None, CCITT, LZW, JPEG, deflate, PackBits, LZMA and Zstandard.
_PILLOW_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000}


class TiffReader:
    """An opened TIFF of any kind, BigTIFF too.

    Args:
        data: The file.
    """

    def __init__(self, data: bytes) -> None:
        self._file = open_tiff(io.BytesIO(data))
        self._every, self.broken = _pages(self._file)
        self.damage: list[str] = []
        self.first = self._every[0]
        self.pages = [page for page in self._every if not page.is_reduced] or [self.first]

    @property
    def is_raw(self) -> bool:
        """Whether it is a camera's raw file, in which a TIFF reader finds the thumbnail."""
        return _DNG_VERSION in self.first.tags or any(
            int(page.photometric) in _RAW_PHOTOMETRICS for page in self._all()
        )

    @property
    def is_lab(self) -> bool:
        """Whether its values are Lab."""
        return int(self.first.photometric) in _LAB

    @property
    def needs_tifffile(self) -> bool:
        """Whether any page is deeper than eight bits, signed, or compressed as Pillow may not know."""
        return any(
            _bits(page) > 8
            or (int(page.photometric) == _YCBCR and int(page.compression) == 1)  # which Pillow takes for RGB
            or int(page.compression) not in _PILLOW_COMPRESSIONS
            or (page.dtype is not None and page.dtype.kind not in "ub")
            for page in self.pages
        )

    def check_bands(self) -> None:
        """Refuse bands that are neither colour nor transparency, instead of dropping them.

        Raises:
            ImageError: If there are any.
        """
        for page in self.pages:
            if has_unknown_bands(page):
                count = page.samplesperpixel
                raise ImageError(
                    f"it has {count} bands, {count - _spare_bands(page)} of them colours, and does not say "
                    "that the rest is transparency (infrared? a mask?); with the extra geo "
                    f"({install_command('geo')}) `upscale` keeps them in a TIFF of one page, and weights "
                    f"trained with channels {count} enlarge them"
                )

    def notes(self) -> tuple[str, ...]:
        """What it says that is not kept."""
        geo = [self.first.tags[code].name for code in GEO_TAGS if code in self.first.tags]
        notes = [
            f"its map position (GeoTIFF) is left out: {', '.join(geo)}; a TIFF of one page keeps it with the "
            f"extra geo ({install_command('geo')})"
        ] if geo else []  # fmt: skip
        if self.broken:
            notes.append("what it says of further pages is damaged and left out")
        notes += damage_note(self.damage)
        if any(_spare_bands(page) == 1 and not page.extrasamples for page in self.pages):
            notes.append("its last band is taken for transparency, though the file does not say what it is")
        return tuple(notes)

    def fractions(self, code: int) -> tuple[float, ...]:
        """The fractions of a tag of the first page; none where it is not there or damaged."""
        values = self.numbers(code)
        pairs = zip(values[::2], values[1::2], strict=False)
        return tuple(over / under for over, under in pairs if under)

    def numbers(self, code: int) -> tuple[int, ...]:
        """The whole numbers of a tag of the first page; none where it is not there."""
        value = self.first.tags[code].value if code in self.first.tags else ()
        return tuple(int(v) for v in np.ravel(value)) if isinstance(value, tuple | np.ndarray) else ()

    def frames(self, max_pixels: int) -> tuple[Space, list[Frame]]:
        """The pages, without thumbnails.

        Raises:
            ImageError: If they are too large or of a kind that is not supported.
        """
        check_size(sum(page.imagelength * page.imagewidth for page in self.pages), max_pixels)
        found = [_page(page) for page in self.pages]
        spaces = {space for space, _ in found}
        if len(spaces) != 1:
            raise ImageError("its pages are in different colour spaces; split it first")
        return found[0][0], [frame for _, frame in found]

    def wrong_sums(self) -> list[str]:
        """Which strips or tiles are not what their check sum says: libtiff does not look at it."""
        stored = self._file.filehandle
        wrong: list[str] = []
        for page in self.pages:
            if int(page.compression) not in _DEFLATE:
                continue
            places = zip(page.dataoffsets, page.databytecounts, strict=False)
            for number, (place, size) in enumerate(places):
                stored.seek(place)
                if not _is_sound(stored.read(size)):
                    wrong.append(f"the check sum of strip {number} is wrong")
        return wrong

    @property
    def count(self) -> int:
        """How many pages there are, thumbnails among them."""
        return len(self._every)

    def _all(self) -> Iterator[tifffile.TiffPage]:
        for page in self._every:
            yield page
            yield from (p for p in page.pages or () if isinstance(p, tifffile.TiffPage))


def read_pages(reader: TiffReader, data: bytes, max_pixels: int) -> tuple[list[Frame], Space, bool]:
    """The pages, by Pillow where it can; and whether it did, and so turned them upright.

    Raises:
        ImageError: If they are too large, damaged or of a kind that is not supported.
    """
    if not reader.needs_tifffile:
        said: list[str] = []
        try:
            with c_messages() as said, open_image(data) as image:
                count = _count_pages(image, reader)
                check_size(image.width * image.height * count, max_pixels)
                frames, space = all_frames(image, count, max_pixels)
            reader.damage = said or reader.wrong_sums()
            return frames, space, True
        except Image.UnidentifiedImageError:  # of a kind that Pillow does not know
            pass
        except (ImageError, MemoryError):
            raise
        except Exception as error:
            if not said:
                raise
            raise ImageError(f"the file is damaged ({first_of(said)})") from error
    space, frames = reader.frames(max_pixels)
    return frames, space, False


def _count_pages(image: Image.Image, reader: TiffReader) -> int:
    try:
        return reader.count if reader.broken else frame_count(image)
    except Exception:  # the last page points at something that is none
        reader.broken = True
        return reader.count


def _pages(file: tifffile.TiffFile) -> tuple[list[tifffile.TiffPage], bool]:
    """The pages, and whether something that is none follows: the first one is worth it.

    By number: where the last page points back at the first, going through them never ends.
    """
    pages: list[tifffile.TiffPage] = []
    broken = False
    try:
        for index in range(len(file.pages)):
            page = file.pages[index]
            if isinstance(page, tifffile.TiffPage):
                pages.append(page)
    except Exception:
        first = file.pages.first if not pages else None
        pages += [first] if isinstance(first, tifffile.TiffPage) else []
        broken = True
    whole = [page for page in pages if page.imagewidth and page.imagelength]
    if not whole:
        raise ImageError("the file is damaged (a TIFF without a page)")
    return whole, broken or len(whole) < len(pages)


def _is_sound(deflated: bytes) -> bool:
    """Whether the data has no error and the check sum at its end, if there is one."""
    decoder = zlib.decompressobj()
    try:
        while deflated:
            decoder.decompress(deflated, _AT_ONCE)
            deflated = decoder.unconsumed_tail
    except zlib.error:
        return False
    return True


def has_unknown_bands(page: tifffile.TiffPage) -> bool:
    """Whether a page has bands besides its colours that it does not call transparency."""
    extra = _spare_bands(page)
    kinds = [int(e) for e in page.extrasamples]
    # Without a word on it a fourth band is taken for transparency, as all programs do.
    return extra > 1 or (extra == 1 and bool(kinds) and kinds[0] == _UNSPECIFIED)


def _spare_bands(page: tifffile.TiffPage) -> int:
    """How many bands there are beside the colours."""
    return page.samplesperpixel - _COLOURS.get(int(page.photometric), page.samplesperpixel)


def _bits(page: tifffile.TiffPage) -> int:
    bits = page.bitspersample
    return max(bits) if isinstance(bits, tuple) else int(bits)


def _page(page: tifffile.TiffPage) -> tuple[Space, Frame]:
    photometric = int(page.photometric)
    if photometric == _YCBCR and _bits(page) == 8 and _is_full_range(page):
        return "RGB", Frame(np.asarray(Image.fromarray(_by_channels(page), "YCbCr").convert("RGB")))
    if photometric not in (0, 1, 2, 5):
        raise ImageError(f"TIFF colours of kind {_name(page.photometric)} in this depth are not supported")
    pixels = _checked(_by_channels(page), _bits(page))
    if photometric == 0:  # MINISWHITE
        pixels = pixels.dtype.type(white_of(pixels.dtype)) - pixels
    space: Space = "CMYK" if photometric == 5 else "RGB" if photometric == 2 else "L"
    colours = _COLOURS[photometric]
    has_alpha = pixels.shape[-1] == colours + 1
    if has_alpha and page.extrasamples and int(page.extrasamples[0]) == 1:
        pixels = _unmultiplied(pixels, colours)
    return space, split_alpha(pixels, has_alpha=has_alpha)


def _is_full_range(page: tifffile.TiffPage) -> bool:
    stated = page.tags[_REFERENCE].value if _REFERENCE in page.tags else ()
    return (
        not stated
        or tuple(v / (w or 1) for v, w in zip(stated[::2], stated[1::2], strict=False)) == _FULL_RANGE
    )


def _by_channels(page: tifffile.TiffPage) -> Pixels:
    try:
        pixels = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        purpose = f"its compression ({_name(page.compression)})"
        require_extra("codecs", "imagecodecs", purpose=purpose, error=ImageError)
        raise ImageError(f"{purpose} cannot be decoded here: {one_line(error)}") from error
    if page.axes == "SYX":
        return np.moveaxis(pixels, 0, -1)
    if page.axes == "YX":
        return pixels[..., None]
    if page.axes != "YXS":
        raise ImageError(f"a TIFF with axes {page.axes} is not a photograph")
    return pixels


def _name(value: int) -> str:
    return getattr(value, "name", str(value))


def _checked(pixels: Pixels, bits: int) -> Pixels:
    """Pixels in a depth with a known white."""
    if pixels.dtype.kind == "f":
        return unit_floats(pixels)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"values of {pixels.dtype} have no known white level; convert it to 16 bits first")
    if bits not in (8, 16):  # 10, 12 or 14 bits lie in 16, from 0
        factor = 65535 / (2**bits - 1)
        return (pixels * factor + 0.5).astype(np.uint16)
    return pixels


def _unmultiplied(pixels: Pixels, colours: int) -> Pixels:
    """Associated alpha taken out of the colours."""
    white = white_of(pixels.dtype)
    alpha = pixels[..., colours : colours + 1].astype(np.float32) / white
    colour = pixels[..., :colours] / np.where(alpha > 0, alpha, 1)
    colour = colour.round() if pixels.dtype.kind == "u" else colour
    result = pixels.copy()
    result[..., :colours] = colour.clip(0, white).astype(pixels.dtype)
    return result
