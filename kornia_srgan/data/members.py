"""The images of a shard as they come, alone or in pairs, by webdataset's rule of names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from kornia_srgan.data.crop_decoding import pad_to_crop, sizes_fit
from kornia_srgan.data.pixels import PixelFormat
from kornia_srgan.data.remote import ShardReader
from kornia_srgan.errors import ImageError
from kornia_srgan.explain import one_line
from kornia_srgan.photos.find import picture_suffixes


@dataclass(frozen=True)
class Encoded:
    """An encoded image out of a stream, with its LR image if it is HR of a pair.

    Attributes:
        name: Shard and member.
        data: The file's bytes.
        lr: Of the LR image.
    """

    name: str
    data: bytes
    lr: Encoded | None = None


def read_images(url: str, pixels: PixelFormat) -> Iterator[Encoded]:
    """The images of a shard, in its order.

    `0001.hr.png` and `0001.lr.png`, one after the other, are a pair.

    Raises:
        ImageError: If the archive is damaged; the images before were given.
        KorniaSRGANError: If it cannot be fetched, see `remote.ShardReader`.
    """
    from webdataset.tariterators import group_by_keys, tar_file_expander

    suffixes = picture_suffixes().union(pixels.suffixes)
    reader = ShardReader(url)

    def wanted(name: str) -> bool:
        path = PurePosixPath(name)
        return not path.name.startswith(".") and path.suffix.lower() in suffixes

    files = tar_file_expander([{"url": url, "stream": reader}], select_files=wanted, eof_value=None)
    try:
        for sample in group_by_keys(files):
            yield from _images_of(url, sample)
    except GeneratorExit:
        raise
    except Exception as error:  # tarfile, zlib, lzma: each has its own
        if reader.failure is not None:
            raise reader.failure from error
        reason = one_line(error.args[0] if error.args else error).partition(" @ ")[0]
        raise ImageError(f"cannot read archive '{url}' to its end: {reason}", where=url) from error
    finally:
        reader.close()


def _images_of(url: str, sample: dict[str, Any]) -> Iterator[Encoded]:
    """Those of a sample of webdataset: its fields by what follows the first dot of their names."""
    found = {
        name: Encoded(f"{url}/{sample['__key__']}.{name}", data)
        for name, data in sample.items()
        if not name.startswith("__")
    }
    hr, lr = ([n for n in found if n.partition(".")[0] == side and "." in n] for side in ("hr", "lr"))
    if len(hr) == len(lr) == 1:
        large = found.pop(hr[0])
        yield Encoded(large.name, large.data, found.pop(lr[0]))
    yield from found.values()


def decode_images(
    image: Encoded, *, crop: int, scale: int, pixels: PixelFormat
) -> tuple[np.ndarray, np.ndarray | None]:
    """HR and, if it has one, its LR image, each `(H, W, C)` and large enough for a crop.

    Raises:
        ImageError: If one cannot be decoded, or LR does not have HR's size divided by the scale.
    """
    hr = pixels.read(BytesIO(image.data), image.name)
    if image.lr is None:
        return pad_to_crop(hr, crop), None
    lr = pixels.read(BytesIO(image.lr.data), image.lr.name)
    hr = hr[: hr.shape[0] - hr.shape[0] % scale, : hr.shape[1] - hr.shape[1] % scale]
    if not sizes_fit(hr.shape, lr.shape, scale):
        raise ImageError(
            f"cannot read image '{image.name}': its LR image has {lr.shape[1]}x{lr.shape[0]} pixels, "
            f"x{scale} needs {hr.shape[1] // scale}x{hr.shape[0] // scale}",
            where=image.name,
        )
    return pad_to_crop(hr, crop), pad_to_crop(lr, crop // scale)
