"""Reads arrays of any number of bands and any depth: GeoTIFF, TIFF and other formats of GDAL, and `.npy`."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np

from kornia_srgan.environment import require_extra
from kornia_srgan.errors import ImageError
from kornia_srgan.explain import one_line

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

Source: TypeAlias = str | Path | BinaryIO
NUMPY = ".npy"
_MAGIC = b"\x93NUMPY"


def raster_size(source: Source, name: str | Path = "") -> tuple[int, int, int]:
    """Read bands, height and width from a file's header.

    Raises:
        ImageError: If it cannot be read.
        MissingExtraError: If rasterio is not installed and the file is not a `.npy`.
    """
    label = str(name or source)
    if is_numpy(source):
        array = as_bands(load_array(source, label), label)
        return array.shape[0], array.shape[1], array.shape[2]
    with opened_raster(source, label) as dataset:
        return dataset.count, dataset.height, dataset.width


def read_raster(source: Source, name: str | Path = "") -> np.ndarray:
    """Read a whole file as float32 `(bands, H, W)` with its stored values; NaN for no data.

    Raises:
        ImageError: If it cannot be read, or its values are complex.
        MissingExtraError: If rasterio is not installed and it is no `.npy`.
    """
    label = str(name or source)
    if is_numpy(source):
        return np.array(as_bands(load_array(source, label), label), np.float32)
    with opened_raster(source, label) as dataset:
        try:
            return read_with_gaps(dataset)
        except Exception as error:  # GDAL raises its own
            raise raster_error(label, error) from error


def read_with_gaps(dataset: DatasetReader, window: Any = None, dtype: Any = np.float32) -> np.ndarray:
    """Read floating point `(bands, H, W)`, NaN for no data; an opacity band is read as a band."""
    if has_opacity(dataset):  # a band that hides the others is a band here
        return dataset.read(window=window).astype(dtype)
    return np.ma.filled(dataset.read(window=window, masked=True).astype(dtype), np.nan)


def has_opacity(dataset: DatasetReader) -> bool:
    """Whether GDAL treats a band as opacity."""
    from rasterio.enums import MaskFlags

    return any(MaskFlags.alpha in flags for flags in dataset.mask_flag_enums)


@contextmanager
def opened_raster(source: Source, name: str, driver: str | None = None) -> Iterator[DatasetReader]:
    """Open a file, or its bytes, by rasterio.

    Args:
        source: The file.
        name: Its name in messages.
        driver: The only one of GDAL's drivers that may open it; by default any.

    Raises:
        ImageError: If GDAL cannot read it.
        MissingExtraError: If rasterio is not installed.
    """
    require_extra("geo", "rasterio", purpose="an image of several bands or with a range")
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            if isinstance(source, str | Path):
                dataset = rasterio.open(source, driver=driver)
            else:
                dataset = rasterio.MemoryFile(source.read()).open(driver=driver)
        except (RasterioError, OSError) as error:
            raise raster_error(name, error) from error
        with dataset:
            if "complex" in dataset.dtypes[0]:
                raise ImageError(f"cannot read image '{name}': its values are complex numbers", where=name)
            yield dataset


def is_numpy(source: Source) -> bool:
    """Whether a file, or its bytes, is a NumPy array."""
    if isinstance(source, str | Path):
        return str(source).lower().endswith(NUMPY)
    head = source.read(len(_MAGIC))
    source.seek(0)
    return head == _MAGIC


def load_array(source: Source, name: str) -> np.ndarray:
    """Load a NumPy array as it is stored; a file is memory-mapped.

    Raises:
        ImageError: If it cannot be read.
    """
    try:
        if isinstance(source, str | Path):
            return np.load(source, mmap_mode="r", allow_pickle=False)
        return np.load(io.BytesIO(source.read()), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise raster_error(name, error) from error


def as_bands(array: np.ndarray, name: str) -> np.ndarray:
    """View `(H, W)`, `(bands, H, W)` or `(H, W, bands)` as `(bands, H, W)`; the shorter axis is bands."""
    if array.ndim == 2:
        return array[None]
    if array.ndim != 3 or array.dtype.kind not in "uif" or 0 in array.shape:
        raise ImageError(
            f"cannot read image '{name}': an array must be of numbers and (H, W), (bands, H, W) or "
            f"(H, W, bands); it is {array.dtype} {array.shape}",
            where=name,
        )
    return array if array.shape[0] <= array.shape[2] else np.moveaxis(array, -1, 0)


def raster_error(name: str, error: Exception) -> ImageError:
    """The error for a file that GDAL or NumPy cannot read."""
    return ImageError(f"cannot read image '{name}': {one_line(error)}", where=name)
