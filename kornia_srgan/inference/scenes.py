"""Enlarging images of any number of bands window by window: GeoTIFF with its place on earth, and `.npy`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from kornia_srgan.assembly import LoadedGenerator
from kornia_srgan.errors import ImageError, WeightsError
from kornia_srgan.geometry import geometry_of
from kornia_srgan.rasters.scene import Gaps, Scene, Window, open_scene, write_scene

_FILL = 8  # pixels that values are carried into a gap, so that its border does not ring


@dataclass(frozen=True)
class SceneReport:
    """What was done.

    Attributes:
        size: Height and width of the result.
        notes: What is not kept, and values that did not fit.
    """

    size: tuple[int, int]
    notes: tuple[str, ...]


def upscale_scene(
    loaded: LoadedGenerator,
    source: str | Path,
    target: str | Path,
    *,
    device: torch.device | str = "cpu",
    window: int = 256,
    on_window: Callable[[int, int], None] = lambda done, total: None,
) -> SceneReport:
    """Enlarge a file of several bands, or of stated depth, without holding it in memory.

    Coordinate system, transform (scaled), band names, tags and no-data value are kept. Windows overlap by
    what the generator sees, so that they leave no seam.

    Args:
        loaded: The generator and its header, which says the channels and the range of the data.
        source: A GeoTIFF, TIFF or other file that GDAL reads, or `.npy`.
        target: `.tif`, or `.npy` for an array.
        device: Where to compute.
        window: Side of a window in LR pixels.
        on_window: Called with how many windows are done, of how many.

    Raises:
        ImageError: If the file cannot be read or written, or has another number of bands.
        WeightsError: If the weights do not state a range, or see the whole image at once.
        MissingExtraError: If rasterio is not installed and a file is no `.npy`.
    """
    spec, geometry = loaded.spec, geometry_of(loaded.module)
    if not spec.data_range:
        raise WeightsError("the weights do not state the range of their data; train with data.range")
    if geometry.halo is None:
        raise WeightsError(f"'{spec.name}' sees the whole image at once, which scenes are too large for")
    align = geometry.align
    margin, side = -(-(geometry.halo + _FILL) // align) * align, max(align, window // align * align)
    with open_scene(source) as scene:
        if scene.bands != spec.channels:
            raise ImageError(
                f"{source} has {scene.bands} bands, the weights are for {spec.channels}; none is left out"
            )
        run = _Windows(loaded.module.to(device), scene, spec.data_range, margin)
        windows = list(scene.windows(side))
        results = _counted(windows, run, on_window)
        write_scene(scene, target, spec.scale, results)
        notes = (*scene.notes(Path(target)), *run.notes())
        return SceneReport((scene.height * spec.scale, scene.width * spec.scale), notes)


def _counted(
    windows: list[Window], run: _Windows, on_window: Callable[[int, int], None]
) -> Iterator[tuple[Window, np.ndarray, Gaps]]:
    for done, window in enumerate(windows, 1):
        yield window, *run(window)
        on_window(done, len(windows))


class _Windows:
    """Enlarges one window after the other, and counts values outside the range."""

    def __init__(
        self, generator: nn.Module, scene: Scene, data_range: tuple[float, ...], margin: int
    ) -> None:
        self._generator = generator
        self._scene = scene
        self._low, high = data_range
        self._span = high - self._low
        self._margin = margin
        self._outside = self._seen = 0
        self._scale = geometry_of(generator).scale

    @torch.inference_mode()
    def __call__(self, window: Window) -> tuple[np.ndarray, Gaps]:
        """The enlarged values `(bands, H, W)` in stored units, float64, and where there are none."""
        wide = window.grown(self._margin, self._scene.height, self._scene.width)
        values = self._scene.read(wide)
        inner = (slice(None), *window.within(wide))
        unit = (values - self._low) / self._span
        gaps = np.isnan(unit)
        self._outside += int(((unit < 0) | (unit > 1))[inner].sum())
        self._seen += unit[inner].size
        unit = fill_gaps(unit, gaps) if gaps.any() else unit
        device = next(self._generator.parameters()).device
        lr = torch.from_numpy(np.ascontiguousarray(unit, np.float32))[None].to(device)
        sr = self._generator(lr)[0].double().cpu().numpy()
        s = self._scale
        rows, columns = (slice(part.start * s, part.stop * s) for part in inner[1:])
        large = gaps[inner].repeat(s, 1).repeat(s, 2) if gaps[inner].any() else None
        return sr[:, rows, columns] * self._span + self._low, large

    def notes(self) -> tuple[str, ...]:
        """How many values lay outside the range that the weights were trained on."""
        if not self._outside:
            return ()
        share = self._outside / self._seen
        high = self._low + self._span
        return (f"{share:.2%} of the values lie outside {self._low:g} to {high:g}, which the weights know",)


def fill_gaps(unit: np.ndarray, gaps: np.ndarray, steps: int = _FILL) -> np.ndarray:
    """Carry values into gaps, a pixel a step as the mean of their neighbours; what is left is mid-grey.

    Args:
        unit: `(bands, H, W)`, anything in the gaps.
        gaps: Where there is nothing, of the same shape.
        steps: How far.
    """
    known = ~gaps
    filled = np.where(known, unit, 0.0)
    for _ in range(steps):
        sums, counts = _neighbours(filled), _neighbours(known.astype(float))
        reached = ~known & (counts > 0)
        filled = np.where(reached, sums / np.maximum(counts, 1), filled)
        known = known | reached
    return np.where(known, filled, 0.5)


def _neighbours(planes: np.ndarray) -> np.ndarray:
    """The sum over each pixel's 3x3."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    height, width = planes.shape[1:]
    return np.sum([padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)
