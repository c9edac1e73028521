"""Made-up scenes of several bands on a map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

BANDS = ("blue", "green", "red", "near infrared")


def scene_values(height: int, width: int, bands: int = 4, seed: int = 0) -> np.ndarray:
    """Smooth reflectances of 0 to 10000, uint16 `(bands, H, W)`."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width] / 9.0
    phases = rng.uniform(0, 6, (bands, 3))
    waves = [np.sin(rows * (1 + a / 9) + a) + np.sin(columns * (1 + b / 7) + b) + c for a, b, c in phases]
    return (np.stack(waves) * 1000 + 3000).clip(0, 10000).astype(np.uint16)


def write_scene(path: Path, values: np.ndarray, **more: Any) -> Path:
    """A GeoTIFF in UTM zone 33N with pixels of 10 metres, named bands and 65535 for no data."""
    import rasterio
    from rasterio.crs import CRS
    from rasterio.transform import from_origin

    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    profile = {
        "driver": "GTiff",
        "dtype": values.dtype.name,
        "count": count,
        "height": height,
        "width": width,
        "crs": CRS.from_epsg(32633),
        "transform": from_origin(500_000, 5_000_400, 10, 10),
        "nodata": 65535,
    }
    with rasterio.open(path, "w", **(profile | more)) as dataset:
        dataset.write(values)
        for index, name in enumerate(BANDS[:count], 1):
            dataset.set_band_description(index, name)
        dataset.update_tags(SATELLITE="made up")
    return path
