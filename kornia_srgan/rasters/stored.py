"""From computed values to those of a file."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Gaps: TypeAlias = "np.ndarray | None"


def to_stored(values: np.ndarray, dtype: np.dtype[Any], gaps: Gaps, nodata: float | None) -> np.ndarray:
    """Convert values to the dtype of the file; a value equal to `nodata` is moved by the smallest step.

    Args:
        values: `(bands, H, W)`.
        dtype: The dtype of the file.
        gaps: The mask of no data.
        nodata: The value that means no data; if there is none, NaN or 0 is written.
    """
    if dtype.kind == "f":
        result = values.astype(dtype)
        if gaps is not None:
            result[gaps] = np.nan if nodata is None else nodata
        return result
    limits = np.iinfo(dtype)
    result = np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    if nodata is not None and limits.min <= nodata <= limits.max:
        mark = dtype.type(nodata)
        result[result == mark] = mark + 1 if mark < limits.max else mark - 1
    if gaps is not None:
        result[gaps] = 0 if nodata is None else nodata
    return result
