"""One file enlarged into another one."""

from __future__ import annotations

from pathlib import Path

from kornia_srgan.inference.picture import enlarge, tuned_for
from kornia_srgan.inference.rescale import Rescaler, Wanted
from kornia_srgan.inference.scenes import upscale_scene
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.encode import write_photo
from kornia_srgan.photos.formats import FORMATS, format_of
from kornia_srgan.rasters.kinds import is_map


def upscale_file(upscaler: Upscaler, source: str | Path, target: str | Path) -> tuple[str, ...]:
    """Enlarge a file into another one, as the command `upscale` does.

    GeoTIFF, TIFF of several bands and, with weights of a stated range, `.npy` pass through in windows, so
    that they need little memory; a GeoTIFF keeps its place on earth. Pictures keep what `read_photo` and
    `write_photo` keep.

    Args:
        upscaler: The upscaler.
        source: A picture, a TIFF or GeoTIFF, or `.npy`.
        target: The file to write; its suffix says the format.

    Returns:
        Notes about what could not be kept, one sentence each.

    Raises:
        ImageError: If a file cannot be read or written, or has other channels than the weights.
        MissingExtraError: If rasterio is needed and not installed.
    """
    source, target = Path(source), Path(target)
    if is_scene(upscaler, source, target):
        return upscale_scene(Rescaler(upscaler, Wanted()), source, target).notes
    photo = read_photo(source)
    chosen = tuned_for(photo, upscaler)
    return photo.notes + write_photo(target, photo, rasters=enlarge(photo, chosen), form=format_of(target))


def is_scene(upscaler: Upscaler, source: Path | bytes, target: Path) -> bool:
    """Whether a file passes in windows: all for weights with a stated range, else maps that become a TIFF."""
    if upscaler.data_range is not None:
        return True
    return target.suffix.lower() in FORMATS["TIFF"].suffixes and is_map(source)
