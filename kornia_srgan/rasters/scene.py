"""Reads and writes large images of any number of bands in windows."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from kornia_srgan.atomic import replacing
from kornia_srgan.errors import ImageError
from kornia_srgan.rasters.read import (
    NUMPY,
    as_bands,
    has_opacity,
    is_numpy,
    load_array,
    opened_raster,
    raster_error,
    read_with_gaps,
)
from kornia_srgan.rasters.stored import Gaps, to_stored

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

BLOCK = 512  # side of the blocks of a TIFF that is written
_CACHE = 256  # megabytes of blocks that GDAL keeps; its own default is a twentieth of the memory
_LOSSLESS = ("deflate", "lzw", "zstd", "lerc_zstd", "packbits", "lzma")


@dataclass(frozen=True)
class SceneWindow:
    """A rectangle of pixels: rows `top` to `bottom` - 1, columns `left` to `right` - 1."""

    top: int
    left: int
    bottom: int
    right: int

    def grown(self, margin: int, height: int, width: int) -> SceneWindow:
        """The window with a margin on each side, inside the image."""
        return SceneWindow(
            max(0, self.top - margin),
            max(0, self.left - margin),
            min(height, self.bottom + margin),
            min(width, self.right + margin),
        )

    def within(self, outer: SceneWindow) -> tuple[slice, slice]:
        """Its place relative to another window."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )

    def scaled(self, scale: int) -> SceneWindow:
        """The same area in the enlarged image."""
        return SceneWindow(self.top * scale, self.left * scale, self.bottom * scale, self.right * scale)


Part: TypeAlias = "tuple[SceneWindow, np.ndarray, Gaps]"
"""A window of the result, its values `(bands, H, W)` and where there are none."""


class Scene(Protocol):
    """An opened image."""

    bands: int
    height: int
    width: int
    dtype: np.dtype[Any]

    def read(self, window: SceneWindow) -> np.ndarray:
        """Read stored values, float64 `(bands, H, W)`; NaN for no data."""
        ...

    def windows(self, side: int) -> Iterator[SceneWindow]:
        """Yield windows of a given side, row by row."""
        ...

    @property
    def colours(self) -> tuple[int, ...]:
        """The bands, from 0, that are red, green and blue, or the grey one; empty where it does not say."""
        ...

    def notes(self, target: Path) -> tuple[str, ...]:
        """Notes about what a file of that name cannot keep."""
        ...


class _Common:
    height: int
    width: int

    def windows(self, side: int) -> Iterator[SceneWindow]:
        for top in range(0, self.height, side):
            for left in range(0, self.width, side):
                yield SceneWindow(top, left, min(top + side, self.height), min(left + side, self.width))


class ArrayScene(_Common):
    """A memory-mapped `.npy` file."""

    def __init__(self, path: Path) -> None:
        stored = load_array(path, str(path))
        self._array = as_bands(stored, str(path))
        self.last = self._array.shape != stored.shape  # whether bands are the last axis
        self.flat = stored.ndim == 2
        self.bands, self.height, self.width = self._array.shape
        self.dtype = stored.dtype

    def read(self, window: SceneWindow) -> np.ndarray:
        """See `Scene`."""
        return np.array(self._array[:, window.top : window.bottom, window.left : window.right], np.float64)

    @property
    def colours(self) -> tuple[int, ...]:
        """See `Scene`."""
        return ()

    def notes(self, target: Path) -> tuple[str, ...]:
        """See `Scene`."""
        return ()


class RasterScene(_Common):
    """A file that GDAL reads."""

    def __init__(self, dataset: DatasetReader, name: str) -> None:
        self.dataset = dataset
        self.name = name
        self.bands, self.height, self.width = dataset.count, dataset.height, dataset.width
        if len(set(dataset.dtypes)) > 1:
            raise ImageError(
                f"cannot read '{name}': its bands have different types, {', '.join(dataset.dtypes)}",
                where=name,
            )
        self.dtype = np.dtype(dataset.dtypes[0])

    def read(self, window: SceneWindow) -> np.ndarray:
        """See `Scene`."""
        where = ((window.top, window.bottom), (window.left, window.right))
        try:
            return read_with_gaps(self.dataset, where, np.float64)
        except Exception as error:  # GDAL raises its own
            raise raster_error(self.name, error) from error

    @property
    def colours(self) -> tuple[int, ...]:
        """See `Scene`."""
        names = [kind.name for kind in self.dataset.colorinterp]
        if {"red", "green", "blue"} <= set(names):
            return tuple(names.index(name) for name in ("red", "green", "blue"))
        # GDAL calls the first of several bands of unknown kind grey.
        return (0,) if names in (["gray"], ["gray", "alpha"]) else ()

    def notes(self, target: Path) -> tuple[str, ...]:
        """See `Scene`."""
        source = self.dataset
        if target.suffix.lower() == NUMPY:
            return ("an array keeps no place on earth, no names of bands and no tags",)
        from rasterio.enums import MaskFlags

        masked = not has_opacity(source) and any(
            MaskFlags.per_dataset in flags for flags in source.mask_flag_enums
        )
        lost = {
            "its reduced copies (overviews; gdaladdo makes them anew)": bool(source.overviews(1)),
            "its rational polynomial coefficients (RPC)": source.rpcs is not None,
            "its mask (it has no value for no data; what it hides is written as 0)": masked,
        }
        return tuple(f"left out: {what}" for what, there in lost.items() if there)


@contextmanager
def open_scene(source: str | Path | bytes, name: str = "") -> Iterator[ArrayScene | RasterScene]:
    """Open a file for reading windows.

    Args:
        source: A path, or the bytes of a TIFF: a server gets them from strangers, and other formats of GDAL
            may name files of this machine.
        name: Of bytes, for messages.

    Raises:
        ImageError: If it cannot be read.
        MissingExtraError: If rasterio is not installed and the file is not a `.npy`.
    """
    if isinstance(source, bytes):
        with opened_raster(io.BytesIO(source), name, "GTiff") as dataset, _little_cache():
            yield RasterScene(dataset, name)
        return
    path = Path(source)
    if is_numpy(path):
        yield ArrayScene(path)
        return
    with opened_raster(path, str(path)) as dataset, _little_cache():
        yield RasterScene(dataset, str(path))


@contextmanager
def _little_cache() -> Iterator[None]:
    import rasterio

    with rasterio.Env(GDAL_CACHEMAX=_CACHE):
        yield


def write_scene(
    scene: ArrayScene | RasterScene,
    target: str | Path,
    size: tuple[int, int],
    results: Iterable[Part],
) -> None:
    """Write enlarged windows to a file, atomically.

    Args:
        scene: The original; its dtype, georeference and band names are kept.
        target: `.tif` or `.npy`.
        size: Height and width of the result.
        results: Windows of the result, their values `(bands, H, W)`, and the mask of no data.

    Raises:
        ImageError: If the file cannot be written or has another suffix.
    """
    path = Path(target)
    if path.suffix.lower() == NUMPY:
        _write_array(scene, path, size, results)
    elif path.suffix.lower() in (".tif", ".tiff"):
        _write_tiff(scene, path, size, results)
    else:
        raise ImageError.at(path, "images of several bands are written as .tif or .npy")


def _write_array(
    scene: ArrayScene | RasterScene,
    path: Path,
    size: tuple[int, int],
    results: Iterable[Part],
) -> None:
    shape: tuple[int, ...] = (scene.bands, *size)
    last = isinstance(scene, ArrayScene) and scene.last and not scene.flat
    flat = isinstance(scene, ArrayScene) and scene.flat
    shape = (*shape[1:], shape[0]) if last else shape[1:] if flat else shape
    with replacing(path, ImageError) as temporary:
        array = np.lib.format.open_memmap(temporary, "w+", dtype=scene.dtype, shape=shape)
        planes = np.moveaxis(array, -1, 0) if last else array[None] if flat else array
        for window, values, gaps in results:
            rows, columns = slice(window.top, window.bottom), slice(window.left, window.right)
            planes[:, rows, columns] = to_stored(values, scene.dtype, gaps, None)
        array.flush()


def _write_tiff(
    scene: ArrayScene | RasterScene,
    path: Path,
    size: tuple[int, int],
    results: Iterable[Part],
) -> None:
    import rasterio

    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": scene.dtype.name,
        "count": scene.bands,
        "height": size[0],
        "width": size[1],
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "BIGTIFF": "IF_SAFER",
    }
    nodata = None
    if isinstance(scene, RasterScene):
        source, place = scene.dataset, scene.dataset.transform
        across, down = scene.width / size[1], scene.height / size[0]
        nodata = source.nodata
        used = source.compression.name.lower() if source.compression else ""
        profile |= {
            "crs": source.crs,
            "transform": type(place)(
                place.a * across, place.b * down, place.c, place.d * across, place.e * down, place.f
            ),
            "nodata": nodata,
            "compress": used if used in _LOSSLESS else "deflate",
            "interleave": source.interleaving.name.lower() if source.interleaving else "pixel",
        }
    with replacing(path, ImageError) as temporary, rasterio.open(temporary, "w", **profile) as dataset:
        if isinstance(scene, RasterScene):
            _describe(scene.dataset, dataset)
        for window, values, gaps in results:
            where = ((window.top, window.bottom), (window.left, window.right))
            dataset.write(to_stored(values, scene.dtype, gaps, nodata), window=where)


def _describe(source: DatasetReader, target: Any) -> None:
    """Copy the ground control points, and the names, units, tags and colours of bands."""
    points, crs = source.gcps
    if points:
        from rasterio.control import GroundControlPoint

        down, across = target.height / source.height, target.width / source.width
        moved = [
            GroundControlPoint(p.row * down, p.col * across, p.x, p.y, p.z, p.id, p.info) for p in points
        ]
        target.gcps = (moved, crs)
    target.descriptions = source.descriptions
    target.scales, target.offsets, target.units = source.scales, source.offsets, source.units
    target.colorinterp = source.colorinterp
    target.update_tags(**source.tags())
    for band in source.indexes:
        tags = {k: v for k, v in source.tags(band).items() if not k.startswith("STATISTICS_")}
        target.update_tags(band, **tags)
