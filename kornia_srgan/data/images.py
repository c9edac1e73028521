"""Finds image files and decodes them to uint8 RGB, whatever their format, size and mode."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from kornia_srgan.errors import DataError, DataNotFoundError, ImageError
from kornia_srgan.explain import one_line
from kornia_srgan.photos import find
from kornia_srgan.photos.decode import MAX_PIXELS, needs_own_reader, read_photo
from kornia_srgan.photos.find import Found, LeftOut, list_left_out, looks_like_picture
from kornia_srgan.photos.fit import fit_raster, lay_over
from kornia_srgan.photos.formats import PLAIN, WriteOptions
from kornia_srgan.photos.header import check_size, open_image, peek_header
from kornia_srgan.photos.photo import Photo, raster_of
from kornia_srgan.photos.tiff_read import TiffReader

logger = logging.getLogger("kornia_srgan")
_SAMPLES = 277  # the TIFF tag of bands
_TRANSPARENT_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})


def find_images(folders: Iterable[str | Path] | str | Path) -> list[Path]:
    """All image files in folders and their subfolders.

    Files are recognised by their suffix, or by their first bytes if the suffix is unknown. Hidden files and
    folders are skipped. Symbolic links are followed, and each folder is visited once. Folders of training
    runs and results of `upscale` and `prepare` are left out and logged. A path to a file is used as it is.

    Args:
        folders: One folder or several; their order is kept, the files of each are sorted by relative path.

    Raises:
        DataError: If there is no such folder, or no image in any of them.
    """
    roots = as_roots(folders)
    found = find_data_files(roots, looks_like_picture)
    if not found.files:
        raise no_images(roots, found.left_out)
    report_left_out(found.left_out)
    return list(found.files)


def as_roots(folders: Iterable[str | Path] | str | Path) -> list[Path]:
    """Folders as a list.

    Raises:
        DataError: If there is none, or one does not exist.
    """
    roots = [Path(f) for f in ([folders] if isinstance(folders, str | Path) else folders)]
    if not roots:
        raise DataError("no data folder was given; name at least one folder of images", where="data")
    for root in roots:
        if not root.exists():
            raise DataNotFoundError(f"data folder '{root}' does not exist", where=root)
    return roots


def no_images(roots: Iterable[Path], left_out: Sequence[LeftOut] = ()) -> DataError:
    """The error for folders without a single image."""
    places = ", ".join(f"'{r}'" for r in roots)
    return DataError(
        f"no images in {places} or the folders in it; "
        "put photographs there (JPEG, PNG, WebP, TIFF or another format that Pillow decodes)"
        + (f"; left out: {list_left_out(left_out)}" if left_out else ""),
        where=", ".join(map(str, roots)),
    )


def report_left_out(left_out: Sequence[LeftOut]) -> None:
    """Log the files in the data folders that are not used as data."""
    if left_out:
        logger.warning("left out of the data: %s", list_left_out(left_out))


def find_data_files(roots: Iterable[Path], wanted: Callable[[Path], bool]) -> Found:
    """The wanted files in folders, found as by `find_images`; there may be none."""
    files: dict[Path, None] = {}  # sets that keep their order
    left_out: dict[LeftOut, None] = {}
    for root in roots:
        found = Found((root,)) if root.is_file() else find.find_files(root, wanted)
        files.update(dict.fromkeys(found.files))
        left_out.update(dict.fromkeys(found.left_out))
    return Found(tuple(files), tuple(left_out))


def read_size(source: str | Path | BinaryIO, name: str | Path = "") -> tuple[int, int]:
    """Read height and width from a file's header, before any EXIF rotation, without decoding.

    Args:
        source: A file's path, or its bytes as a stream.
        name: Names the stream in messages.

    Raises:
        ImageError: If the header cannot be read.
    """
    header = peek_header(Path(source) if isinstance(source, str | Path) else source.read(), str(name))
    if header is None:
        read_rgb(source, name)  # raises with the reason
        raise _unreadable(name or str(source), ValueError("its size is not to be found"))
    return header.height, header.width


def read_rgb(source: str | Path | BinaryIO, name: str | Path = "") -> np.ndarray:
    """Decode a file to RGB.

    The EXIF orientation is applied. Transparent images are put on white. 16-bit and float images are
    converted to 8 bits. Of an animation, the first frame is used.

    Args:
        source: The path of a file, or its bytes as a stream; any format and mode that `upscale` accepts.
        name: Names the stream in messages.

    Returns:
        uint8 of shape `(H, W, 3)`.

    Raises:
        ImageError: If the file is missing, damaged, truncated, no image, or larger than `MAX_PIXELS`.
    """
    data = _read_bytes(source, name)
    label = str(name or source)
    if needs_own_reader(data, label):
        return _photo_rgb(read_photo(data, name=label))
    try:
        with open_image(data) as image:
            check_size(image.width * image.height, MAX_PIXELS)
            if isinstance(image, TiffImageFile) and image.tag_v2.get(_SAMPLES, 1) > 3:
                TiffReader(data).check_bands()  # Pillow takes any fourth band for transparency
            image.load()
            return pil_to_rgb(ImageOps.exif_transpose(image))
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plug-ins raise anything on damaged files
        raise _unreadable(label, error) from error


def _read_bytes(source: str | Path | BinaryIO, name: str | Path) -> bytes:
    if not isinstance(source, str | Path):
        return source.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise _unreadable(name or source, error) from error


def _photo_rgb(photo: Photo) -> np.ndarray:
    """The first frame as uint8 RGB on white."""
    flat, _, _ = fit_raster(
        raster_of(photo.frames[0], photo.space), PLAIN, WriteOptions(), photo.metadata.icc
    )
    pixels = np.concatenate(list(flat.bands))
    return np.repeat(pixels, 3, axis=2) if flat.space == "L" else pixels


def pil_to_rgb(image: Image.Image) -> np.ndarray:
    """A decoded Pillow image of any mode as uint8 RGB of shape `(H, W, 3)`."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        grey = _to_8_bits(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        return lay_over(np.asarray(image.convert("RGBA")))
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _to_8_bits(grey: np.ndarray) -> np.ndarray:
    """Convert values of more than 8 bits, by the range they use: 0..1 (float), 0..255, 0..65535, or wider."""
    if grey.dtype.kind == "f":
        grey = np.nan_to_num(grey)
        largest = float(grey.max(initial=0))
        scale = 255.0 if largest <= 1 else 255.0 / max(largest, 255.0)
    elif grey.dtype == np.int32:  # Pillow's mode I holds 16 bits and 32 bits alike
        largest = int(grey.max(initial=0))
        scale = 1.0 if largest <= 255 else 255.0 / max(largest, 65535)
    else:
        scale = 255.0 / 65535.0
    return np.clip(np.floor(grey * scale + 0.5), 0, 255).astype(np.uint8)


def _unreadable(path: str | Path, error: Exception) -> ImageError:
    if isinstance(error, FileNotFoundError):
        reason = "no such file"
    elif isinstance(error, IsADirectoryError):
        reason = "it is a folder"
    elif isinstance(error, Image.UnidentifiedImageError):
        reason = "it is not an image in a format that Pillow knows"
    else:
        reason = one_line(error)
    return ImageError(f"cannot read image '{path}': {reason}", where=path)
