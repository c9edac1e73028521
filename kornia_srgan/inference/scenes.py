"""Enlarging images of any number of bands window by window: GeoTIFF with its place on earth, and `.npy`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import gcd, isqrt, lcm
from pathlib import Path

import numpy as np

from kornia_srgan.errors import ImageError
from kornia_srgan.geometry import geometry_of
from kornia_srgan.inference.band_resampling import resample_bands
from kornia_srgan.inference.gaps import FILLED, enlarged_gaps, fill_gaps
from kornia_srgan.inference.rescale import Rescaler, Wanted
from kornia_srgan.photos.photo import Pixels, white_of
from kornia_srgan.rasters.scene import BLOCK, Part, Scene, SceneWindow, open_scene, write_scene
from kornia_srgan.weights.spec import describe_channels

_RESULT = 2048**2  # pixels of a window's result
_SAMPLE = 1024  # side of the part that `restore` is chosen by
OnWindow = Callable[[float], object]
"""Called with the megapixels of input that were done since the last time."""


@dataclass(frozen=True)
class SceneReport:
    """What was done.

    Attributes:
        source: Height and width of the source.
        size: Height and width of the result.
        notes: What is not kept, which bands the generator did not see, and values that did not fit.
        restore: How much noise and compression was removed; None for weights without this setting.
    """

    source: tuple[int, int]
    size: tuple[int, int]
    notes: tuple[str, ...]
    restore: float | None = None


def upscale_scene(
    enlarger: Rescaler,
    source: str | Path | bytes,
    target: str | Path,
    *,
    name: str = "",
    window: int = 0,
    on_window: OnWindow = lambda megapixels: None,
) -> SceneReport:
    """Enlarge a file of several bands, of stated depth or on a map, without holding it in memory.

    Coordinate system, transform (scaled), band names, tags and no-data value are kept. Windows overlap by
    what the generator sees, so that they leave no seam. Weights with a stated range enlarge all bands.
    Weights for photographs enlarge red, green and blue, or the grey band; other bands are resized by Keys'
    cubic kernel, and a note says so. A size that is not a whole multiple, and a generator that sees the whole
    image at once, need the whole scene in memory.

    Args:
        enlarger: The upscaler and the size.
        source: A GeoTIFF, TIFF or other file that GDAL reads, or `.npy`; or the bytes of a TIFF.
        target: `.tif`, or `.npy` for an array.
        name: Of the source in messages.
        window: Side of a window in LR pixels; 0 chooses by the size of its result.
        on_window: See `OnWindow`.

    Raises:
        ImageError: If the file cannot be read or written, has other bands than the weights, or does not say
            which bands are colours.
        MissingExtraError: If rasterio is not installed and a file is no `.npy`.
    """
    label = name or str(source)
    with open_scene(source, label) as scene:
        size = enlarger.size(scene.height, scene.width)
        seen = _seen_bands(scene, enlarger, label)
        enlarger = _tuned(enlarger, scene, seen)
        run = _Windows(enlarger, scene, size, seen)
        windows = scene.windows(run.side(window))
        write_scene(scene, target, size, _told(windows, run, on_window))
        notes = (*scene.notes(Path(target)), *run.notes(), *enlarger.notes(scene.height, scene.width))
        return SceneReport((scene.height, scene.width), size, notes, enlarger.restore)


def _told(windows: Iterator[SceneWindow], run: _Windows, on_window: OnWindow) -> Iterator[Part]:
    for window in windows:
        yield run(window)
        on_window((window.bottom - window.top) * (window.right - window.left) / 1e6)


def _seen_bands(scene: Scene, enlarger: Rescaler, label: str) -> tuple[int, ...]:
    """The bands that the generator takes.

    Raises:
        ImageError: If the scene has not those that the weights are for.
    """
    upscaler = enlarger.upscaler
    wanted = describe_channels(upscaler.channels, upscaler.data_range)
    if upscaler.data_range:
        if scene.bands != upscaler.channels:
            raise ImageError(
                f"'{label}' has {scene.bands} bands, the weights are for {wanted}; none is left out",
                where=label,
            )
        return tuple(range(scene.bands))
    if scene.dtype.kind != "f" and scene.dtype.name not in ("uint8", "uint16"):
        raise ImageError(
            f"'{label}' holds {scene.dtype.name}, of which it is not known what is white; take weights "
            "trained with `data.range`",
            where=label,
        )
    colours = scene.colours
    if not colours or (upscaler.channels == 1 and len(colours) > 1):
        bands = f"{scene.bands} band{'s' if scene.bands > 1 else ''}"
        why = "has colours" if colours else f"has {bands} and does not say which are red, green and blue"
        raise ImageError(
            f"'{label}' {why}; the weights are for {wanted}: take weights trained with "
            f"channels {scene.bands}",
            where=label,
        )
    return colours


def _tuned(enlarger: Rescaler, scene: Scene, seen: tuple[int, ...]) -> Rescaler:
    """The enlarger for this scene, by its middle: all windows are enlarged alike."""
    if enlarger.upscaler.data_range:
        return enlarger
    top, left = max(0, scene.height - _SAMPLE) // 2, max(0, scene.width - _SAMPLE) // 2
    middle = SceneWindow(top, left, min(top + _SAMPLE, scene.height), min(left + _SAMPLE, scene.width))
    values = scene.read(middle)[list(seen)]
    unseen = np.isnan(values)
    return enlarger.tuned(_pixels(fill_gaps(values, unseen, white_of(scene.dtype) / 2), scene))


def _pixels(planes: np.ndarray, scene: Scene, *, stated: bool = False) -> Pixels:
    """Stored values `(C, H, W)` as an image `(H, W, C)`; float32 where a range is stated, not clipped."""
    kind = np.dtype(np.float32) if stated or scene.dtype.kind == "f" else scene.dtype
    planes = planes if kind.kind == "f" else np.rint(planes)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1), kind)


class _Windows:
    """Enlarges one window after the other, and counts values outside the range."""

    def __init__(
        self, enlarger: Rescaler, scene: Scene, size: tuple[int, int], seen: tuple[int, ...]
    ) -> None:
        upscaler = enlarger.upscaler
        self._scene, self._size, self._seen = scene, size, seen
        self._others = [band for band in range(scene.bands) if band not in seen]
        self._range, self._limits = upscaler.data_range, upscaler.limits(scene.dtype)
        self._rest = sum(self._range) / 2 if self._range else white_of(scene.dtype) / 2
        self._outside = self._all = 0
        factor = size[0] // scene.height
        cuts = upscaler.halo is not None and size == (scene.height * factor, scene.width * factor)
        self._factor = factor if cuts else 0  # 0: all in one window
        self._enlarger = Rescaler(upscaler, Wanted(float(factor))) if self._factor else enlarger
        self._align = geometry_of(upscaler.generator, measure=False).align
        passes = 1 if factor <= upscaler.scale else 2  # a second one sees as many finer pixels
        self._margin = -(-((upscaler.halo or 0) * passes + FILLED) // self._align) * self._align

    def side(self, wanted: int) -> int:
        """The side of a window; of whole blocks of the file, so that each is written once."""
        if not self._factor:
            return max(self._scene.height, self._scene.width)
        step = lcm(BLOCK // gcd(BLOCK, self._factor), self._align) if not wanted else self._align
        return max(step, (wanted or isqrt(_RESULT) // self._factor) // step * step)

    def __call__(self, window: SceneWindow) -> Part:
        """The window of the result, its values `(bands, H, W)` and where there are none."""
        scene = self._scene
        wide = window.grown(self._margin, scene.height, scene.width)
        values = scene.read(wide)
        gaps = np.isnan(values)
        self._count(values[(slice(None), *window.within(wide))])
        if gaps.any():
            values = fill_gaps(values, gaps, self._rest)
        if not self._factor:
            holes = enlarged_gaps(gaps, *self._size) if gaps.any() else None
            return SceneWindow(0, 0, *self._size), self._enlarged(values, self._size), holes
        target, around = window.scaled(self._factor), wide.scaled(self._factor)
        size = (around.bottom - around.top, around.right - around.left)
        inner = (slice(None), *target.within(around))
        holes = enlarged_gaps(gaps, *size)[inner] if gaps.any() else None
        return target, self._enlarged(values, size)[inner], holes

    def _enlarged(self, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """All bands of a window: those that the generator sees, and the others by a cubic kernel."""
        taken = _pixels(values[list(self._seen)], self._scene, stated=self._range is not None)
        made = np.moveaxis(np.concatenate(list(self._enlarger.bands(taken))), -1, 0)
        if not self._others:
            return made
        rest = np.ascontiguousarray(np.moveaxis(values[self._others], 0, -1), np.float32)
        strips = resample_bands(iter([rest]), values.shape[1:], size, self._limits)
        result = np.empty((len(values), *size), np.float32)
        result[list(self._seen)] = made
        result[self._others] = np.moveaxis(np.concatenate(list(strips)), -1, 0)
        return result

    def _count(self, values: np.ndarray) -> None:
        if self._range:
            low, high = self._range
            self._outside += int(((values < low) | (values > high)).sum())
            self._all += values.size

    def notes(self) -> tuple[str, ...]:
        """Which bands the generator did not see, and how many values lay outside the range of the weights."""
        notes: list[str] = []
        if self._others:
            numbers = ", ".join(str(band + 1) for band in self._others)
            what = f"bands {numbers} are" if len(self._others) > 1 else f"band {numbers} is"
            notes.append(f"{what} resized by a cubic kernel and kept: the weights know colours only")
        if self._outside:
            low, high = self._range or (0.0, 1.0)
            share = self._outside / self._all
            notes.append(f"{share:.2%} of the values lie outside {low:g} to {high:g}, which the weights know")
        return tuple(notes)
